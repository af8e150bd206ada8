"""The lab report: what is asked, where its numbers come from, and the page."""
