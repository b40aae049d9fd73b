//! The chapters of the book with Rust code, as doctests.

macro_rules! chapters {
    ($($name:ident: $path:literal),* $(,)?) => {$(
        #[doc = include_str!($path)]
        pub struct $name;
    )*};
}

chapters! {
    Host: "../../docs/src/start/host.md",
    Provider: "../../docs/src/guides/provider.md",
    Store: "../../docs/src/guides/store.md",
    Sink: "../../docs/src/guides/sink.md",
    Testing: "../../docs/src/guides/testing.md",
    Workers: "../../docs/src/guides/workers.md",
}
