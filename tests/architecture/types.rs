//! The types that the product declares, and the names declared more than once.

use std::collections::BTreeMap;

use syn::visit::Visit;
use syn::{Item, ItemMod};

use crate::crate_files::{SourceFile, is_for_tests};

/// Names of the types that a file declares, as often as it does.
pub(crate) fn in_file(syntax: &syn::File) -> Vec<String> {
    let mut visitor = Declarations(Vec::new());
    visitor.visit_file(syntax);
    visitor.0
}

/// Files by the name of the types that they declare; a file that declares a name twice
/// stands twice.
pub(crate) fn declared(files: &[SourceFile]) -> BTreeMap<String, Vec<String>> {
    let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for file in files.iter().filter(|file| !file.is_test) {
        for name in &file.types {
            let places = found.entry(name.clone()).or_default();
            places.push(file.path.display().to_string());
        }
    }
    found
}

struct Declarations(Vec<String>);

impl Visit<'_> for Declarations {
    fn visit_item(&mut self, item: &Item) {
        let name = match item {
            Item::Struct(item) => Some(&item.ident),
            Item::Enum(item) => Some(&item.ident),
            Item::Trait(item) => Some(&item.ident),
            Item::Type(item) => Some(&item.ident),
            Item::Union(item) => Some(&item.ident),
            _ => None,
        };
        self.0.extend(name.map(ToString::to_string));
        syn::visit::visit_item(self, item);
    }

    fn visit_item_mod(&mut self, module: &ItemMod) {
        if !is_for_tests(module) {
            syn::visit::visit_item_mod(self, module);
        }
    }
}
