//! The control API in TypeScript, for the window. `cargo run -p caisson-core --example bindings` writes it.

use std::{any::TypeId, collections::BTreeMap, collections::HashSet, fmt::Write as _};

use ts_rs::{Config, TS, TypeVisitor};

use super::api::{ApiError, MethodVisitor, Notice, Request, visit_methods};

/// One TypeScript module: every type, and `Methods`, which ties a method's name to its types.
pub fn typescript() -> String {
    let config = Config::new().with_large_int("number");
    let mut collector = Collector { config: &config, seen: HashSet::new(), declared: BTreeMap::new() };
    collector.visit_type::<ApiError>();
    collector.visit_type::<Notice>();
    visit_methods(&mut collector);
    let mut methods = Methods { config: &config, text: String::new() };
    visit_methods(&mut methods);

    let mut text = String::from(
        "// Generated from crates/caisson-core/src/control/api by `cargo run -p caisson-core --example bindings`.\n",
    );
    for (docs, declaration) in collector.declared.values() {
        // Writing to a `String` cannot fail.
        let _ = write!(text, "\n{docs}export {declaration}\n");
    }
    let _ = write!(
        text,
        "\n/** Each method of the control API, with its parameters and its reply. */\nexport type Methods = {{\n{}}};\n",
        methods.text
    );
    // The generator leaves blanks at the ends of lines.
    text.lines().flat_map(|line| [line.trim_end(), "\n"]).collect()
}

struct Collector<'a> {
    config: &'a Config,
    seen: HashSet<TypeId>,
    /// By name: documentation and declaration.
    declared: BTreeMap<String, (String, String)>,
}

impl Collector<'_> {
    fn visit_type<T: TS + 'static + ?Sized>(&mut self) {
        if !self.seen.insert(TypeId::of::<T>()) {
            return;
        }
        if T::output_path().is_some() {
            let docs = T::docs().unwrap_or_default();
            self.declared.insert(T::ident(self.config), (docs, T::decl(self.config)));
        }
        T::visit_dependencies(self);
        T::visit_generics(self);
    }
}

impl TypeVisitor for Collector<'_> {
    fn visit<T: TS + 'static + ?Sized>(&mut self) {
        self.visit_type::<T>();
    }
}

impl MethodVisitor for Collector<'_> {
    fn visit<R: Request>(&mut self) {
        self.visit_type::<R>();
        self.visit_type::<R::Reply>();
    }
}

struct Methods<'a> {
    config: &'a Config,
    text: String,
}

impl MethodVisitor for Methods<'_> {
    fn visit<R: Request>(&mut self) {
        let (params, reply) = (R::name(self.config), R::Reply::name(self.config));
        let _ = writeln!(self.text, "  \"{}\": {{ params: {params}; reply: {reply} }};", R::METHOD);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bindings_in_the_window_are_those_of_this_api() {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../ui/src/backend/bindings/api.ts");
        let written = std::fs::read_to_string(file).unwrap();
        assert!(written == typescript(), "run `cargo run -p caisson-core --example bindings`");
    }
}
