//! The files of the crate, parsed, with their place in the module tree.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use syn::{Item, ItemMod};

use crate::{imports, types};

/// One file below `src`.
pub(crate) struct SourceFile {
    /// Path below `src`.
    pub(crate) path: PathBuf,
    /// Modules from the crate to this file; empty for `lib.rs` and `main.rs`.
    pub(crate) module: Vec<String>,
    pub(crate) text: String,
    /// Names of the types that it declares, as often as it does.
    pub(crate) types: Vec<String>,
    /// Paths in its code, see [`imports::paths_used`].
    pub(crate) paths_used: BTreeSet<Vec<String>>,
    /// Names that it re-exports, and the paths these stand for.
    pub(crate) re_exports: Vec<(String, Vec<String>)>,
    /// Modules that it declares for tests only.
    test_modules: Vec<String>,
    /// True if it is compiled for tests only.
    pub(crate) is_test: bool,
}

impl SourceFile {
    /// The module directly below the crate that the file belongs to: `main` and `lib`
    /// for the files of that name.
    pub(crate) fn top_module(&self) -> String {
        let first = self.path.components().next().unwrap();
        let name = Path::new(first.as_os_str()).file_stem().unwrap();
        name.to_str().unwrap().to_owned()
    }

    /// Lines that are neither blank nor comments, without inline test modules.
    pub(crate) fn code_lines(&self) -> usize {
        code(&self.text)
            .lines()
            .filter(|line| !line.trim().is_empty())
            .count()
    }
}

/// All files below `src`, in the order of their paths, read once.
pub(crate) fn read() -> &'static [SourceFile] {
    static FILES: OnceLock<Vec<SourceFile>> = OnceLock::new();
    FILES.get_or_init(|| {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        let mut files: Vec<SourceFile> = paths_below(&root)
            .iter()
            .map(|path| parse(path, path.strip_prefix(&root).unwrap()))
            .collect();
        let test_only: BTreeSet<Vec<String>> = files
            .iter()
            .flat_map(|file| {
                let child = |name: &String| [&file.module[..], std::slice::from_ref(name)].concat();
                file.test_modules.iter().map(child)
            })
            .collect();
        for file in &mut files {
            file.is_test = (1..=file.module.len()).any(|n| test_only.contains(&file.module[..n]));
        }
        files
    })
}

fn parse(path: &Path, below: &Path) -> SourceFile {
    let text = fs::read_to_string(path).unwrap();
    let syntax =
        syn::parse_file(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    SourceFile {
        module: module_of(below),
        path: below.to_owned(),
        text,
        types: types::in_file(&syntax),
        paths_used: imports::paths_used(&syntax),
        re_exports: imports::re_exports(&syntax),
        test_modules: test_modules(&syntax),
        is_test: false,
    }
}

fn paths_below(root: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// Module path of a file, by its path below `src`: there is no `mod.rs`.
fn module_of(path: &Path) -> Vec<String> {
    let stem = path.with_extension("");
    let parts: Vec<String> = stem
        .iter()
        .map(|part| part.to_str().unwrap().to_owned())
        .collect();
    match parts.as_slice() {
        [only] if only == "lib" || only == "main" => Vec::new(),
        _ => parts,
    }
}

/// Modules declared behind `#[cfg(test)]`, or for fuzzing.
fn test_modules(syntax: &syn::File) -> Vec<String> {
    syntax
        .items
        .iter()
        .filter_map(|item| match item {
            Item::Mod(module) if is_for_tests(module) => Some(module.ident.to_string()),
            _ => None,
        })
        .collect()
}

/// True if a module has an attribute `cfg` that names tests.
pub(crate) fn is_for_tests(module: &ItemMod) -> bool {
    module.attrs.iter().any(|attribute| {
        attribute.path().is_ident("cfg")
            && attribute
                .meta
                .require_list()
                .is_ok_and(|list| list.tokens.to_string().contains("test"))
    })
}

/// The code of a file: without its tests, which may look anywhere, and without
/// comments. Tests stand at the end of a file, in `mod tests`, or in a file of that
/// name.
pub(crate) fn code(text: &str) -> String {
    let shipped = text.split("#[cfg(test)]\nmod tests {").next();
    shipped
        .unwrap_or_default()
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .collect::<Vec<_>>()
        .join("\n")
}

/// Files by module path.
pub(crate) fn by_module(files: &[SourceFile]) -> BTreeMap<&[String], usize> {
    files
        .iter()
        .enumerate()
        .filter(|(_, file)| file.path != Path::new("main.rs"))
        .map(|(index, file)| (file.module.as_slice(), index))
        .collect()
}
