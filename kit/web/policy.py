"""What a page of ours may load: by itself nothing but its looks; no script and no style stands in a page."""

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self'; font-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)
WITH_SCRIPT = f"{CONTENT_SECURITY_POLICY}; script-src 'self'; worker-src 'self'; connect-src 'self'"
"""For pages that load a script of ours."""
