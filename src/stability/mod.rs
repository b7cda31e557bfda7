//! How much of a result survives another run, another sample, another choice.
