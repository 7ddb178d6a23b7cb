"""Pages as they come from the web: codings and charsets undone, and the main text of HTML."""
