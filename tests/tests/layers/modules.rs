//! The modules of the workspace's shipped code and what each takes from the others, read from the
//! source with `syn`: `use` items, paths in the code, and paths inside macros. Code behind
//! `cfg(test)` is not shipped and does not count.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use proc_macro2::{TokenStream, TokenTree};
use syn::visit::{self, Visit};

/// A module by its path from the package's name: `engine::pipeline::run`.
pub(crate) type Name = String;

/// What one file says.
#[derive(Default)]
struct Module {
    /// Names defined here.
    items: BTreeSet<String>,
    /// What a local name stands for, as a path that is not yet resolved.
    imports: BTreeMap<String, Vec<String>>,
    /// Modules whose names are all taken.
    globs: Vec<Vec<String>>,
    /// Paths of two and more segments in the code.
    paths: BTreeSet<Vec<String>>,
}

/// All modules of the workspace.
#[derive(Default)]
pub(crate) struct Workspace {
    modules: BTreeMap<Name, Module>,
    /// Crate name in code, `mmface_engine`, to package folder, `engine`.
    crates: BTreeMap<String, String>,
}

/// Which module takes something from which, with one of the names that it takes.
pub(crate) type Uses = BTreeMap<(Name, Name), String>;

impl Workspace {
    /// Reads every package below `root` that has a library or a program.
    pub(crate) fn read(root: &Path) -> Self {
        let mut workspace = Self::default();
        let manifest: toml::Table = fs::read_to_string(root.join("Cargo.toml"))
            .expect("the workspace has a manifest")
            .parse()
            .expect("the manifest is TOML");
        let members = manifest["workspace"]["members"]
            .as_array()
            .expect("a list of members");
        for member in members {
            let folder = member.as_str().expect("members are folders");
            let manifest: toml::Table = fs::read_to_string(root.join(folder).join("Cargo.toml"))
                .expect("each member has a manifest")
                .parse()
                .expect("the manifest is TOML");
            let package = manifest["package"]["name"]
                .as_str()
                .expect("packages have names");
            let name = folder.replace('/', "_");
            workspace
                .crates
                .insert(package.replace('-', "_"), name.clone());
            let source = root.join(folder).join("src");
            for (file, module) in [
                ("lib.rs", name.clone()),
                ("main.rs", format!("{name}::main")),
            ] {
                let file = source.join(file);
                if file.exists() {
                    workspace.read_file(&file, &source, module);
                }
            }
        }
        workspace
    }

    /// The modules' names.
    pub(crate) fn names(&self) -> impl Iterator<Item = &Name> {
        self.modules.keys()
    }

    fn read_file(&mut self, file: &Path, children: &Path, name: Name) {
        let text = fs::read_to_string(file).unwrap_or_else(|error| panic!("{file:?}: {error}"));
        let syntax = syn::parse_file(&text).unwrap_or_else(|error| panic!("{file:?}: {error}"));
        let mut reader = Reader::default();
        reader.visit_file(&syntax);
        self.modules.insert(name.clone(), reader.module);
        for child in reader.children {
            let file = [
                children.join(format!("{child}.rs")),
                children.join(&child).join("mod.rs"),
            ]
            .into_iter()
            .find(|file| file.exists())
            .unwrap_or_else(|| panic!("{name} has a module {child} without a file"));
            let below: PathBuf = children.join(&child);
            self.read_file(&file, &below, format!("{name}::{child}"));
        }
    }

    /// Every use of a name of another module. A name that a module only passes on counts for the
    /// module that defines it.
    pub(crate) fn uses(&self) -> Uses {
        let mut uses = Uses::new();
        for (name, module) in &self.modules {
            let taken = module
                .paths
                .iter()
                .chain(module.imports.values())
                .chain(&module.globs);
            for path in taken {
                if let Some(target) = self.resolve(name, path, 0)
                    && target != *name
                {
                    uses.entry((name.clone(), target))
                        .or_insert_with(|| path.join("::"));
                }
            }
        }
        uses
    }

    /// The module that defines what `path` names in module `from`; `None` for other crates and for
    /// a path that names a module itself.
    fn resolve(&self, from: &str, path: &[String], depth: usize) -> Option<Name> {
        if depth > 16 {
            return None;
        }
        let (first, rest) = path.split_first()?;
        let mut base: Vec<&str> = from.split("::").collect();
        match first.as_str() {
            "crate" => base.truncate(1),
            "self" => {}
            "super" => {
                base.pop();
            }
            other => {
                if let Some(package) = self.crates.get(other) {
                    base = vec![package];
                } else if self.modules.contains_key(&format!("{from}::{other}")) {
                    base.push(other);
                } else {
                    let import = self.modules.get(from)?.imports.get(other)?;
                    if import.first() == Some(first) && import.len() == 1 {
                        return None;
                    }
                    let whole: Vec<String> = import.iter().chain(rest).cloned().collect();
                    return self.resolve(from, &whole, depth + 1);
                }
            }
        }
        let mut at = base.join("::");
        for (index, segment) in rest.iter().enumerate() {
            if segment == "super" {
                at = at.rsplit_once("::")?.0.to_string();
                continue;
            }
            let child = format!("{at}::{segment}");
            if self.modules.contains_key(&child) {
                at = child;
                continue;
            }
            return self.definer(&at, segment, &rest[index + 1..], depth);
        }
        None
    }

    /// The module that defines `item`, which `at` defines or passes on.
    fn definer(&self, at: &str, item: &str, rest: &[String], depth: usize) -> Option<Name> {
        let module = self.modules.get(at)?;
        if module.items.contains(item) {
            return Some(at.to_string());
        }
        if let Some(import) = module.imports.get(item) {
            let whole: Vec<String> = import.iter().chain(rest).cloned().collect();
            return self.resolve(at, &whole, depth + 1);
        }
        for glob in &module.globs {
            let whole: Vec<String> = glob.iter().cloned().chain([item.to_string()]).collect();
            if let Some(found) = self.resolve(at, &whole, depth + 1)
                && found != at
            {
                return Some(found);
            }
        }
        // Macros may define it.
        Some(at.to_string())
    }
}

#[derive(Default)]
struct Reader {
    module: Module,
    children: Vec<String>,
}

/// Whether the attributes say that the item belongs to tests.
fn for_tests(attributes: &[syn::Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("test")
            || (attribute.path().is_ident("cfg")
                && matches!(&attribute.meta, syn::Meta::List(list)
                    if names_test(list.tokens.clone())))
    })
}

/// Whether a `cfg` asks for `test` and not for its absence.
fn names_test(tokens: TokenStream) -> bool {
    let text = tokens.to_string().replace(' ', "");
    text == "test" || text.starts_with("all(test") || text.starts_with("any(test")
}

fn flatten(tree: &syn::UseTree, prefix: &[String], module: &mut Module) {
    let with = |name: &syn::Ident| -> Vec<String> {
        prefix.iter().cloned().chain([name.to_string()]).collect()
    };
    match tree {
        syn::UseTree::Path(path) => flatten(&path.tree, &with(&path.ident), module),
        syn::UseTree::Group(group) => {
            for tree in &group.items {
                flatten(tree, prefix, module);
            }
        }
        syn::UseTree::Glob(_) => module.globs.push(prefix.to_vec()),
        syn::UseTree::Name(name) if name.ident == "self" => {
            if let Some(last) = prefix.last() {
                module.imports.insert(last.clone(), prefix.to_vec());
            }
        }
        syn::UseTree::Name(name) => {
            module
                .imports
                .insert(name.ident.to_string(), with(&name.ident));
        }
        syn::UseTree::Rename(rename) if rename.ident == "self" => {
            module
                .imports
                .insert(rename.rename.to_string(), prefix.to_vec());
        }
        syn::UseTree::Rename(rename) if rename.rename == "_" => {
            module.paths.insert(with(&rename.ident));
        }
        syn::UseTree::Rename(rename) => {
            module
                .imports
                .insert(rename.rename.to_string(), with(&rename.ident));
        }
    }
}

impl Reader {
    /// Paths in the tokens of a macro, which `syn` does not read.
    fn tokens(&mut self, tokens: TokenStream) {
        let mut path: Vec<String> = Vec::new();
        let mut colons = 0;
        for token in tokens {
            match &token {
                TokenTree::Ident(ident) => {
                    if colons != 2 {
                        self.end(&mut path);
                    }
                    path.push(ident.to_string());
                    colons = 0;
                }
                TokenTree::Punct(punct) if punct.as_char() == ':' => colons += 1,
                other => {
                    self.end(&mut path);
                    colons = 0;
                    if let TokenTree::Group(group) = other {
                        self.tokens(group.stream());
                    }
                }
            }
        }
        self.end(&mut path);
    }

    fn end(&mut self, path: &mut Vec<String>) {
        if path.len() > 1 {
            self.module.paths.insert(std::mem::take(path));
        }
        path.clear();
    }
}

impl<'ast> Visit<'ast> for Reader {
    fn visit_item(&mut self, item: &'ast syn::Item) {
        let (attributes, ident): (&[syn::Attribute], Option<&syn::Ident>) = match item {
            syn::Item::Const(item) => (&item.attrs, Some(&item.ident)),
            syn::Item::Enum(item) => (&item.attrs, Some(&item.ident)),
            syn::Item::Fn(item) => (&item.attrs, Some(&item.sig.ident)),
            syn::Item::Impl(item) => (&item.attrs, None),
            syn::Item::Macro(item) => (&item.attrs, item.ident.as_ref()),
            syn::Item::Static(item) => (&item.attrs, Some(&item.ident)),
            syn::Item::Struct(item) => (&item.attrs, Some(&item.ident)),
            syn::Item::Trait(item) => (&item.attrs, Some(&item.ident)),
            syn::Item::Type(item) => (&item.attrs, Some(&item.ident)),
            syn::Item::Union(item) => (&item.attrs, Some(&item.ident)),
            syn::Item::Use(item) => (&item.attrs, None),
            syn::Item::Mod(item) => (&item.attrs, None),
            _ => (&[], None),
        };
        if for_tests(attributes) {
            return;
        }
        if let Some(ident) = ident {
            self.module.items.insert(ident.to_string());
        }
        visit::visit_item(self, item);
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        if !for_tests(&item.attrs) {
            visit::visit_impl_item_fn(self, item);
        }
    }

    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        match &item.content {
            None => self.children.push(item.ident.to_string()),
            Some(_) => visit::visit_item_mod(self, item),
        }
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        flatten(&item.tree, &[], &mut self.module);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        if path.segments.len() > 1 {
            let segments = path
                .segments
                .iter()
                .map(|segment| segment.ident.to_string());
            self.module.paths.insert(segments.collect());
        }
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, item: &'ast syn::Macro) {
        self.tokens(item.tokens.clone());
        visit::visit_macro(self, item);
    }
}
