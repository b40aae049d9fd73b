//! The run stores, seen through the trait.

#![cfg(test)]

mod fixture;
mod memory;
mod suite;
