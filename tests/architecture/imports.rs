//! The files whose items a file uses: paths after `use` and within code and macros,
//! followed through re-exports to the file that declares the item.

use std::collections::{BTreeMap, BTreeSet};

use proc_macro2::{TokenStream, TokenTree};
use quote::ToTokens;
use syn::{Item, UseTree, Visibility};

use crate::crate_files::{SourceFile, by_module, is_for_tests};

type Path = Vec<String>;

/// Re-exports are followed at most this far.
const MAX_STEPS: usize = 8;

/// For each file the files that it uses, itself not among them; tests use nothing.
pub(crate) fn graph(files: &[SourceFile]) -> Vec<BTreeSet<usize>> {
    let index = Index::new(files);
    files
        .iter()
        .enumerate()
        .map(|(from, file)| {
            if file.is_test {
                return BTreeSet::new();
            }
            file.paths_used
                .iter()
                .filter_map(|path| index.declaring_file(&file.module, path, 0))
                .filter(|to| *to != from && !files[*to].is_test)
                .collect()
        })
        .collect()
}

/// Files by module, and what each re-exports.
struct Index<'f> {
    files: BTreeMap<&'f [String], usize>,
    /// For each file: name in it (`*` for all of a module) and the path it stands for.
    exports: Vec<&'f [(String, Path)]>,
}

impl<'f> Index<'f> {
    fn new(files: &'f [SourceFile]) -> Self {
        Self {
            files: by_module(files),
            exports: files.iter().map(|file| &file.re_exports[..]).collect(),
        }
    }

    /// The file that declares what a path names, seen from a module.
    fn declaring_file(&self, from: &[String], path: &[String], steps: usize) -> Option<usize> {
        if steps > MAX_STEPS {
            return None;
        }
        let mut module: Path;
        let mut rest = path;
        match rest.first()?.as_str() {
            "crate" => {
                module = Vec::new();
                rest = &rest[1..];
            }
            "self" => {
                module = from.to_vec();
                rest = &rest[1..];
            }
            "super" => {
                module = from.to_vec();
                while rest.first().is_some_and(|part| part == "super") {
                    module.pop();
                    rest = &rest[1..];
                }
            }
            child => {
                module = from.to_vec();
                module.push(child.to_owned());
                if !self.files.contains_key(module.as_slice()) {
                    return None;
                }
                rest = &rest[1..];
            }
        }
        while let Some(part) = rest.first() {
            let mut child = module.clone();
            child.push(part.clone());
            if !self.files.contains_key(child.as_slice()) {
                break;
            }
            module = child;
            rest = &rest[1..];
        }
        let file = *self.files.get(module.as_slice())?;
        let Some(name) = rest.first() else {
            return Some(file);
        };
        for (exported, path) in self.exports[file] {
            if exported == name {
                let mut whole = path.clone();
                whole.extend_from_slice(&rest[1..]);
                return self.declaring_file(&module, &whole, steps + 1);
            }
        }
        Some(file)
    }
}

/// The names that a file passes on from its own child modules.
pub(crate) fn re_exports(file: &syn::File) -> Vec<(String, Path)> {
    let mut found = Vec::new();
    for item in &file.items {
        if let Item::Use(item) = item
            && !matches!(item.vis, Visibility::Inherited)
        {
            for (path, name) in leaves(&item.tree) {
                found.push((name, path));
            }
        }
    }
    found
}

/// Paths in the code of a file, without its tests. What it passes on counts where the
/// file uses it, too.
pub(crate) fn paths_used(file: &syn::File) -> BTreeSet<Path> {
    let mut found = BTreeSet::new();
    let mut rest = TokenStream::new();
    let mut passed_on = Vec::new();
    for item in &file.items {
        match item {
            Item::Use(item) if matches!(item.vis, Visibility::Inherited) => {
                found.extend(leaves(&item.tree).into_iter().map(|(path, _)| path));
            }
            Item::Use(item) => passed_on.extend(leaves(&item.tree)),
            Item::Mod(module) if is_for_tests(module) => {}
            Item::Mod(module) if module.content.is_none() => {}
            other => other.to_tokens(&mut rest),
        }
    }
    let mut words = BTreeSet::new();
    collect(rest, &mut found, &mut words);
    for (path, name) in passed_on {
        if words.contains(&name) {
            found.insert(path);
        }
    }
    found
}

/// Each path of a tree of imports, with the name it gets.
fn leaves(tree: &UseTree) -> Vec<(Path, String)> {
    let mut found = Vec::new();
    let mut open = vec![(Vec::new(), tree)];
    while let Some((mut path, tree)) = open.pop() {
        match tree {
            UseTree::Path(step) => {
                path.push(step.ident.to_string());
                open.push((path, &step.tree));
            }
            UseTree::Group(group) => {
                open.extend(group.items.iter().map(|tree| (path.clone(), tree)));
            }
            UseTree::Name(leaf) if leaf.ident == "self" => {
                let name = path.last().cloned().unwrap_or_default();
                found.push((path, name));
            }
            UseTree::Name(leaf) => {
                path.push(leaf.ident.to_string());
                found.push((path, leaf.ident.to_string()));
            }
            UseTree::Rename(leaf) => {
                path.push(leaf.ident.to_string());
                found.push((path, leaf.rename.to_string()));
            }
            UseTree::Glob(_) => found.push((path, "*".to_owned())),
        }
    }
    found
}

/// Paths and single words in code, also within macros.
fn collect(tokens: TokenStream, paths: &mut BTreeSet<Path>, words: &mut BTreeSet<String>) {
    let mut path: Path = Vec::new();
    let mut colons = 0;
    let mut after_pub = false;
    for token in tokens {
        // `pub(in crate::module)` imports nothing.
        let is_visibility = std::mem::take(&mut after_pub) && matches!(token, TokenTree::Group(_));
        match token {
            TokenTree::Group(_) if is_visibility => {}
            TokenTree::Ident(word) => {
                let word = word.to_string();
                after_pub = word == "pub";
                words.insert(word.clone());
                if colons != 2 {
                    keep(&mut path, paths);
                }
                path.push(word);
                colons = 0;
            }
            TokenTree::Punct(mark) if mark.as_char() == ':' => colons += 1,
            TokenTree::Group(group) => {
                keep(&mut path, paths);
                colons = 0;
                collect(group.stream(), paths, words);
            }
            _ => {
                keep(&mut path, paths);
                colons = 0;
            }
        }
    }
    keep(&mut path, paths);
}

/// Takes up a finished path of two words and more.
fn keep(path: &mut Path, paths: &mut BTreeSet<Path>) {
    let path = std::mem::take(path);
    if path.len() > 1 {
        paths.insert(path);
    }
}
