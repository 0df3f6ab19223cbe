"""What approving does, in a sentence: a module for each subject, with one sentence a kind of act. Pure."""
