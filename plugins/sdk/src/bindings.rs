//! The contract in `wit/`, as Rust: one module for each world.

// Generated code passes pointers to and from the host, and cannot be documented here.
#![allow(unsafe_code, missing_docs, unreachable_pub)]

/// The world of providers.
#[cfg(feature = "provider")]
pub mod provider {
    wit_bindgen::generate!({
        path: "../../wit",
        world: "provider-plugin",
        pub_export_macro: true,
        export_macro_name: "export_component",
        disable_custom_section_link_helpers: true,
    });
}

/// The world of callbacks.
#[cfg(all(feature = "callback", not(feature = "script")))]
pub mod callback {
    wit_bindgen::generate!({
        path: "../../wit",
        world: "callback-plugin",
        pub_export_macro: true,
        export_macro_name: "export_component",
        disable_custom_section_link_helpers: true,
    });
}

/// The world of the component that runs scripts, in the place of that of callbacks: its imports are the same.
#[cfg(feature = "script")]
pub mod callback {
    wit_bindgen::generate!({
        path: "../../wit",
        world: "script-plugin",
        pub_export_macro: true,
        export_macro_name: "export_component",
        disable_custom_section_link_helpers: true,
    });
}
