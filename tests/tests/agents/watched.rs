//! What files a command line touches.
