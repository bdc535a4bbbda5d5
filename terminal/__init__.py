"""How `pf` and `pf sandbox` print. Uses nothing of the project."""
