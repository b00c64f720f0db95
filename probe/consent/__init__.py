"""Who agreed to what, and on which networks: asked, kept, and looked up before each run."""
