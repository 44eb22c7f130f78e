"""Pictures: one decoder for training, both engines, the contact sheet and every check of files."""
