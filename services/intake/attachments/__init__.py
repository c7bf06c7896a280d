"""Files that come with a form: checked by content, kept before the form is, taken away when the form never came or was erased."""
