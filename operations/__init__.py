"""`pf`: what an operator does with a stack. One verb a module; the engine is run as a program, never imported."""
