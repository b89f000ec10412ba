"""Stages, and the mailboxes and branches between them."""
