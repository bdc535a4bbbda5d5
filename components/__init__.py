"""What is deployed: one component a file. Arguments come typed from `__main__`; nothing here reads the config."""
