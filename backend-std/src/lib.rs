//! Tacket on the desktop.
