"""What routing needs beside the settings of every service."""

from pydantic import Field

from kit.settings import ServiceSettings


class RoutingSettings(ServiceSettings):
    """Routing prepares documents to be signed, so it needs the fonts; the rest is the settings of every service."""

    fonts_dir: str = Field("", description="Directory of the font files that documents are set in; empty: Typst's own")
    unfinished_after_seconds: float = Field(
        10.0, gt=0, description="A step that an act left unfinished (a crash between two writes) is taken up again after this"
    )
    survey_link_days: int = Field(60, gt=0, description="A letter's link to the survey is good for so long")
