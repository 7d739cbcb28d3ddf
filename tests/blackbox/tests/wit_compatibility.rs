//! A released WIT shape never changes: what `wit/released/` holds must stay
//! exactly as it is in `wit/`. New interfaces, and new functions of imported
//! interfaces, may be added; anything else needs a new track.

#![expect(
    clippy::panic,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "functions of a test fail loudly"
)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use wit_parser::{
    Function, Handle, InterfaceId, Resolve, Type, TypeDefKind, TypeId, TypeOwner, WorldItem,
    WorldKey,
};

fn wit() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../wit")
}

/// Every shape of Portreeve's own packages by its full name.
fn shapes(directory: &Path) -> BTreeMap<String, String> {
    let mut resolve = Resolve::default();
    resolve
        .push_dir(directory)
        .unwrap_or_else(|error| panic!("{}: {error:?}", directory.display()));
    shapes_of(&resolve)
}

fn shapes_of(resolve: &Resolve) -> BTreeMap<String, String> {
    let mut shapes = BTreeMap::new();
    for (id, interface) in &resolve.interfaces {
        let Some(name) = resolve.id_of(id) else {
            continue;
        };
        if !name.starts_with("portreeve:") {
            continue;
        }
        shapes.insert(name.clone(), "interface".to_owned());
        for (type_name, type_id) in &interface.types {
            shapes.insert(
                format!("{name}#{type_name}"),
                shape_of_definition(resolve, *type_id),
            );
        }
        for (function_name, function) in &interface.functions {
            shapes.insert(
                format!("{name}#{function_name}()"),
                shape_of_function(resolve, function),
            );
        }
    }
    for (_, world) in &resolve.worlds {
        let package = world
            .package
            .map(|id| resolve.packages[id].name.to_string());
        let Some(package) = package.filter(|package| package.starts_with("portreeve:")) else {
            continue;
        };
        for (direction, items) in [("import", &world.imports), ("export", &world.exports)] {
            for (key, item) in items {
                let item_name = match (key, item) {
                    (WorldKey::Interface(id), _) => interface_name(resolve, *id),
                    (WorldKey::Name(name), WorldItem::Function(function)) => {
                        format!("{name}: {}", shape_of_function(resolve, function))
                    }
                    (WorldKey::Name(name), _) => name.clone(),
                };
                shapes.insert(
                    format!("{package} world {} {direction} {item_name}", world.name),
                    String::new(),
                );
            }
        }
    }
    shapes
}

fn interface_name(resolve: &Resolve, id: InterfaceId) -> String {
    resolve.id_of(id).unwrap_or_else(|| "anonymous".to_owned())
}

fn shape_of_function(resolve: &Resolve, function: &Function) -> String {
    let parameters: Vec<_> = function
        .params
        .iter()
        .map(|parameter| {
            format!(
                "{}: {}",
                parameter.name,
                name_of_type(resolve, &parameter.ty)
            )
        })
        .collect();
    let result = function.result.as_ref().map(|ty| name_of_type(resolve, ty));
    // The kind prints the resource's index, which is no part of the shape.
    let kind = format!("{:?}", function.kind).replace(|c: char| c.is_ascii_digit(), "");
    format!("{kind} ({}) -> {result:?}", parameters.join(", "))
}

fn name_of_type(resolve: &Resolve, ty: &Type) -> String {
    match ty {
        Type::Id(id) => {
            let definition = &resolve.types[*id];
            match (&definition.name, definition.owner) {
                (Some(name), TypeOwner::Interface(owner)) => {
                    format!("{}#{name}", interface_name(resolve, owner))
                }
                (Some(name), _) => name.clone(),
                (None, _) => shape_of_definition(resolve, *id),
            }
        }
        plain => format!("{plain:?}"),
    }
}

fn shape_of_definition(resolve: &Resolve, id: TypeId) -> String {
    let name = |ty: &Type| name_of_type(resolve, ty);
    let optional = |ty: &Option<Type>| ty.as_ref().map_or_else(|| "_".to_owned(), name);
    let fields = |parts: Vec<String>| parts.join(", ");
    match &resolve.types[id].kind {
        TypeDefKind::Record(record) => {
            let parts = record
                .fields
                .iter()
                .map(|f| format!("{}: {}", f.name, name(&f.ty)));
            format!("record {{{}}}", fields(parts.collect()))
        }
        TypeDefKind::Variant(variant) => {
            let parts = variant
                .cases
                .iter()
                .map(|c| format!("{}({})", c.name, optional(&c.ty)));
            format!("variant {{{}}}", fields(parts.collect()))
        }
        TypeDefKind::Enum(cases) => {
            format!(
                "enum {{{}}}",
                fields(cases.cases.iter().map(|c| c.name.clone()).collect())
            )
        }
        TypeDefKind::Flags(flags) => {
            format!(
                "flags {{{}}}",
                fields(flags.flags.iter().map(|f| f.name.clone()).collect())
            )
        }
        TypeDefKind::Tuple(tuple) => {
            format!("tuple<{}>", fields(tuple.types.iter().map(name).collect()))
        }
        TypeDefKind::Option(ty) => format!("option<{}>", name(ty)),
        TypeDefKind::List(ty) => format!("list<{}>", name(ty)),
        TypeDefKind::Result(result) => {
            format!(
                "result<{}, {}>",
                optional(&result.ok),
                optional(&result.err)
            )
        }
        TypeDefKind::Handle(Handle::Own(id)) => format!("own<{}>", name(&Type::Id(*id))),
        TypeDefKind::Handle(Handle::Borrow(id)) => format!("borrow<{}>", name(&Type::Id(*id))),
        TypeDefKind::Resource => "resource".to_owned(),
        TypeDefKind::Type(ty) => format!("= {}", name(ty)),
        other => panic!("a shape this test does not know: {other:?}"),
    }
}

/// What of `released` is missing or different in `current`.
fn broken(released: &BTreeMap<String, String>, current: &BTreeMap<String, String>) -> Vec<String> {
    let changed = released
        .iter()
        .filter_map(|(name, shape)| match current.get(name) {
            None => Some(format!("{name} is gone")),
            Some(now) if now != shape => Some(format!("{name} was {shape}, is {now}")),
            Some(_) => None,
        });
    let mut broken: Vec<String> = changed.collect();
    // A guest built against the release lacks what an exported interface or a
    // world's exports gained since (wit-design.md, measured).
    let exported: Vec<&str> = released
        .keys()
        .filter_map(|name| name.split_once(" export ").map(|(_, interface)| interface))
        .collect();
    for name in current.keys().filter(|name| !released.contains_key(*name)) {
        let interface = name.split('#').next().unwrap_or_default();
        let world = name.split_once(" export ").map(|(world, _)| world);
        let known_world =
            world.is_some_and(|world| released.keys().any(|known| known.starts_with(world)));
        if name.ends_with("()") && exported.contains(&interface) || known_world {
            broken.push(format!("{name} was added to what released guests export"));
        }
    }
    broken
}

#[test]
fn released_shapes_do_not_change() {
    let current = shapes(&wit());
    let mut tracks = 0;
    for entry in std::fs::read_dir(wit().join("released")).expect("wit/released") {
        let path = entry.expect("directory entry").path();
        let broken = broken(&shapes(&path), &current);
        assert!(
            broken.is_empty(),
            "{}:\n{}",
            path.display(),
            broken.join("\n")
        );
        tracks += 1;
    }
    assert!(tracks > 0, "no released track to compare with");
}

#[track_caller]
fn check(before: &str, after: &str, expected: &str) {
    let parse = |body: &str| {
        let mut resolve = Resolve::default();
        let text = format!("package portreeve:x@0.1.0;\n{body}");
        resolve.push_str("x.wit", &text).expect("valid WIT");
        shapes_of(&resolve)
    };
    let found = broken(&parse(before), &parse(after));
    if expected.is_empty() {
        assert!(found.is_empty(), "{found:?}");
    } else {
        assert!(
            found.iter().any(|text| text.contains(expected)),
            "{found:?}"
        );
    }
}

#[test]
fn the_comparison_sees_every_kind_of_break() {
    let base = "interface a { record r { x: u8 } enum e { p, q } f: func(r: r) -> option<e>; }
                world w { export a; }";
    let with = |from: &str, to: &str| base.replace(from, to);
    check(base, base, "");
    check(base, &with("x: u8", "x: u8, y: u8"), "#r was record");
    check(base, &with("p, q", "p, q, s"), "#e was enum");
    check(base, &with("option<e>", "e"), "#f() was");
    check(
        &with("func(r: r)", "func(r: u8)"),
        &with("func(r: r)", "func(r: u16)"),
        "#f() was",
    );
    check(base, &with("f: func", "g: func"), "#f() is gone");
    check(
        base,
        &with("option<e>;", "option<e>; g: func();"),
        "was added to what released guests",
    );
    check(
        base,
        &with("export a;", ""),
        "export portreeve:x/a@0.1.0 is gone",
    );
    check(base, &format!("{base} interface b {{ g: func(); }}"), "");
    check(
        base,
        &format!(
            "interface b {{ g: func(); }} {}",
            with("export a;", "export a; export b;")
        ),
        "was added",
    );
    check(
        base,
        &with("export a;", "export a; import b;").replace("world", "interface b {} world"),
        "",
    );
}
