//! The networks: each file one, with tensor names equal to the released checkpoints.

