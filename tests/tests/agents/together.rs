//! Plan, code, test, check with an agent for each stage, driven by the terminal program.
