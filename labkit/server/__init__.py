"""The lab server: one local process that speaks the providers' own wire protocols."""
