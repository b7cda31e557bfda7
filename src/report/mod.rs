//! What people look at: figures, the page, the terminal screen.
