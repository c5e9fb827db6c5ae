//! What an expression may name: variables with their types, functions, and constants.

use super::library::Overload;
use super::types::Type;
use super::value::Constant;

/// Declarations for expressions of one place.
#[derive(Clone, Debug)]
pub struct Environment {
    pub(super) container: String,
    pub(super) variables: Vec<(String, Type)>,
    pub(super) constants: Vec<(String, Constant)>,
    pub(super) supplied: Vec<(String, Overload)>,
    pub(super) checked: bool,
}

/// A declaration of a function that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a declaration of a function")]
pub struct DeclarationError(String);

/// Where Data Connect has expressions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// `@auth(expr:)`
    Auth,
    /// `@check(expr:)`: has `this` and `response`.
    Check,
    /// A `…_expr` argument: has `response`.
    Value,
    /// `@refresh(onMutationExecuted: {condition:})`: has `mutation`.
    Refresh,
}

impl Default for Environment {
    fn default() -> Self {
        Self {
            container: String::new(),
            variables: Vec::new(),
            constants: Vec::new(),
            supplied: Vec::new(),
            checked: true,
        }
    }
}

impl Environment {
    /// CEL with its standard functions and nothing else.
    pub fn new() -> Self {
        Self::default()
    }

    /// The namespace that names are looked for in first.
    #[must_use]
    pub fn container(mut self, name: &str) -> Self {
        name.clone_into(&mut self.container);
        self
    }

    /// Declares a variable. Its value comes at the same position of [`super::Inputs::variables`].
    #[must_use]
    pub fn variable(mut self, name: &str, of: Type) -> Self {
        self.variables.push((name.to_owned(), of));
        self
    }

    /// Declares a name for a constant.
    #[must_use]
    pub fn constant(mut self, name: &str, value: Constant) -> Self {
        self.constants.push((name.to_owned(), value));
        self
    }

    /// Declares a function that the caller supplies, such as `("uuidV4", "() string")`.
    pub fn function(mut self, name: &str, declaration: &str) -> Result<Self, DeclarationError> {
        let overload =
            Overload::parse(declaration).ok_or_else(|| DeclarationError(format!("{name} {declaration}")))?;
        self.supplied.push((name.to_owned(), overload));
        Ok(self)
    }

    /// Without types: what does not fit is an error of the evaluation.
    #[must_use]
    pub fn unchecked(mut self) -> Self {
        self.checked = false;
        self
    }

    /// The position of a variable.
    pub fn position(&self, name: &str) -> Option<usize> {
        self.variables.iter().position(|(known, _)| known == name)
    }

    /// What an expression may name anywhere in Data Connect, for a text whose place is not known.
    pub fn anywhere() -> Self {
        let dynamic = ["vars", "request", "this", "response", "mutation"];
        let mut environment = Self::data_connect(Place::Auth, Vec::new());
        environment.variables.retain(|(name, _)| !dynamic.contains(&name.as_str()));
        dynamic.into_iter().fold(environment, |environment, name| environment.variable(name, Type::Dyn))
    }

    /// Data Connect's declarations: `auth`, `vars`, `request` and what the place adds, in this order. `variables` are
    /// the operation's variables with their types.
    ///
    /// `nil` is `null`, as Data Connect has it. `auth` may be null. Claims are known only at run time.
    /// `request.operationType` is Hearth's own: what `operationName` holds is told differently in different places.
    pub fn data_connect(place: Place, variables: Vec<(String, Type)>) -> Self {
        let claims = || Type::map(Type::String, Type::Dyn);
        let auth = Type::record(
            "auth",
            vec![("uid".to_owned(), Type::nullable(Type::String)), ("token".to_owned(), claims())],
        );
        let vars = Type::record("vars", variables);
        let request = Type::record(
            "request",
            vec![
                ("auth".to_owned(), auth.clone()),
                ("variables".to_owned(), vars.clone()),
                ("operationName".to_owned(), Type::String),
                ("operationType".to_owned(), Type::String),
                ("time".to_owned(), Type::Timestamp),
            ],
        );
        let mut environment = Self::new().variable("auth", auth.clone()).variable("vars", vars.clone());
        environment = environment.variable("request", request);
        environment = match place {
            Place::Auth => environment,
            Place::Check => environment.variable("this", Type::Dyn).variable("response", Type::Dyn),
            Place::Value => environment.variable("response", Type::Dyn),
            Place::Refresh => environment.variable(
                "mutation",
                Type::record(
                    "mutation",
                    vec![
                        ("variables".to_owned(), Type::Dyn),
                        ("auth".to_owned(), auth),
                        ("response".to_owned(), Type::Dyn),
                    ],
                ),
            ),
        };
        let uuid = Overload { receiver: false, parameters: Vec::new(), result: Type::String };
        environment.supplied.push(("uuidV4".to_owned(), uuid));
        environment.constant("nil", Constant::Null)
    }
}
