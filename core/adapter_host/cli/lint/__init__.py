"""`adapter-host lint`: rules about capabilities that run, and about their use by agents."""
