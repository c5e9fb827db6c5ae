//! Definitions of GraphQL as data, and how the official tool prints them.

use super::Edition;

/// An argument of a field.
#[derive(Clone, Debug)]
pub struct Argument {
    /// What it is.
    pub docs: String,
    /// Its name.
    pub name: String,
    /// Its type.
    pub ty: String,
    /// Its default.
    pub default: Option<&'static str>,
}

impl Argument {
    /// An argument without a default.
    pub fn new(docs: impl Into<String>, name: &str, ty: impl Into<String>) -> Self {
        Self { docs: docs.into(), name: name.to_owned(), ty: ty.into(), default: None }
    }

    /// With a default.
    #[must_use]
    pub fn default(mut self, value: &'static str) -> Self {
        self.default = Some(value);
        self
    }

    fn signature(&self) -> String {
        let default = self.default.map(|value| format!(" = {value}")).unwrap_or_default();
        format!("{}: {}{default}", self.name, self.ty)
    }
}

/// A field, or a field of an input.
#[derive(Clone, Debug)]
pub struct Member {
    /// What it is; several lines are possible.
    pub docs: String,
    /// Its name.
    pub name: String,
    /// Its arguments.
    pub arguments: Vec<Argument>,
    /// Its type.
    pub ty: String,
    /// Its default.
    pub default: Option<&'static str>,
    /// Its directives, without a space before.
    pub directives: Vec<String>,
}

impl Member {
    /// A field without arguments.
    pub fn new(docs: impl Into<String>, name: impl Into<String>, ty: impl Into<String>) -> Self {
        Self {
            docs: docs.into(),
            name: name.into(),
            arguments: Vec::new(),
            ty: ty.into(),
            default: None,
            directives: Vec::new(),
        }
    }

    /// With arguments.
    #[must_use]
    pub fn arguments(mut self, arguments: Vec<Argument>) -> Self {
        self.arguments = arguments;
        self
    }

    /// With the directive that says what it was generated from.
    #[must_use]
    pub fn generated(mut self, from: &str, purpose: &str) -> Self {
        self.directives.push(format!("@fdc_generated(from: \"{from}\", purpose: {purpose})"));
        self
    }

    /// With a directive.
    #[must_use]
    pub fn directive(mut self, directive: &str) -> Self {
        self.directives.push(directive.to_owned());
        self
    }

    fn signature_end(&self, edition: Edition) -> String {
        let default = self.default.map(|value| format!(" = {value}")).unwrap_or_default();
        let mut out = format!(": {}{default}", self.ty);
        for directive in &self.directives {
            if edition > Edition::Keys || !directive.starts_with("@fdc_") {
                out.push(' ');
                out.push_str(directive);
            }
        }
        out
    }
}

/// A definition.
#[derive(Clone, Debug)]
pub struct Block {
    /// What it is.
    pub docs: String,
    /// `input Movie_Data`, `extend type Query`, `scalar Movie_KeyOutput`.
    pub head: String,
    /// Its fields. A definition of a scalar has none.
    pub members: Vec<Member>,
}

impl Block {
    /// A definition.
    pub fn new(docs: impl Into<String>, head: impl Into<String>, members: Vec<Member>) -> Self {
        Self { docs: docs.into(), head: head.into(), members }
    }
}

/// Prints definitions.
pub fn print(blocks: &[Block], edition: Edition) -> String {
    let mut out = String::new();
    for block in blocks {
        let is_scalar = block.head.starts_with("scalar ");
        if block.members.is_empty() && !is_scalar {
            continue;
        }
        docs(&mut out, "", &block.docs, edition);
        out.push_str(&block.head);
        if is_scalar {
            out.push('\n');
            continue;
        }
        out.push_str(" {\n");
        for member in &block.members {
            print_member(&mut out, member, edition);
        }
        out.push_str("}\n");
    }
    out
}

/// The first edition is printed without descriptions.
fn docs(out: &mut String, indent: &str, text: &str, edition: Edition) {
    if edition == Edition::Keys || text.is_empty() {
        return;
    }
    out.push_str(&format!("{indent}\"\"\"\n"));
    for line in text.lines() {
        let line = if line.is_empty() { "\n".to_owned() } else { format!("{indent}{line}\n") };
        out.push_str(&line);
    }
    out.push_str(&format!("{indent}\"\"\"\n"));
}

fn print_member(out: &mut String, member: &Member, edition: Edition) {
    docs(out, "  ", &member.docs, edition);
    out.push_str(&format!("  {}", member.name));
    if !member.arguments.is_empty() && edition == Edition::Keys {
        let arguments: Vec<String> = member.arguments.iter().map(Argument::signature).collect();
        out.push_str(&format!("({})", arguments.join(", ")));
    } else if !member.arguments.is_empty() {
        out.push_str("(\n");
        for (at, argument) in member.arguments.iter().enumerate() {
            if at > 0 {
                out.push('\n');
            }
            docs(out, "    ", &argument.docs, edition);
            out.push_str(&format!("    {}\n", argument.signature()));
        }
        out.push_str("  )");
    }
    out.push_str(&member.signature_end(edition));
    out.push('\n');
}
