//! Which endpoint a path means, and who may ask it.
//!
//! Source: the identity reference, section 4.

use http::Method;
use percent_encoding::percent_decode_str;

/// What is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Endpoint {
    SignUp,
    SignInWithPassword,
    SignInWithCustomToken,
    SignInWithEmailLink,
    Refresh,
    Lookup,
    Update,
    Delete,
    SendOobCode,
    ResetPassword,
    CreateAuthUri,
    BatchGet,
    BatchCreate,
    BatchDelete,
    Query,
    CreateSessionCookie,
    ProjectConfig,
    RecaptchaParams,
    RecaptchaConfig,
    PasswordPolicy,
    GetConfig,
    UpdateConfig,
    Certificates,
    Jwks,
    OpenIdConfiguration,
    OAuthToken,
    Emulator(Emulator),
    /// Known to the real service, not to Hearth.
    NotImplemented,
}

/// What the emulator answers beyond the real service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Emulator {
    GetConfig,
    UpdateConfig,
    DeleteAll,
    OobCodes,
    VerificationCodes,
    Action,
}

/// Who may ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    /// Anyone with an API key; administrators without.
    Key,
    /// Administrators.
    Admin,
    /// Anyone.
    Open,
}

/// A path understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Route {
    pub endpoint: Endpoint,
    pub access: Access,
    pub project: Option<String>,
    pub tenant: Option<String>,
}

impl Route {
    fn new(access: Access, endpoint: Endpoint) -> Self {
        Self { endpoint, access, project: None, tenant: None }
    }

    fn of_project(access: Access, endpoint: Endpoint, project: &str) -> Self {
        Self { project: Some(project.to_owned()), ..Self::new(access, endpoint) }
    }

    /// Whether it is for the project's apps only, where App Check is enforced: not what is the same for everyone, nor what
    /// asks for a proof of its own.
    pub fn needs_app(&self) -> bool {
        use Endpoint::{PasswordPolicy, ProjectConfig, RecaptchaConfig, RecaptchaParams};
        let is_public =
            matches!(self.endpoint, ProjectConfig | RecaptchaParams | RecaptchaConfig | PasswordPolicy);
        self.access == Access::Key && !is_public
    }

    /// Whether a body, if there is one, is to be ignored.
    pub fn bodiless(&self) -> bool {
        matches!(self.endpoint, Endpoint::Emulator(Emulator::DeleteAll))
    }

    /// Understands a path.
    pub fn of(method: &Method, path: &str) -> Option<Self> {
        let segments: Vec<String> = path
            .strip_prefix('/')?
            .split('/')
            .map(|segment| percent_decode_str(segment).decode_utf8().ok().map(|text| text.into_owned()))
            .collect::<Option<_>>()?;
        let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
        let (host, rest) = segments.split_first()?;
        match *host {
            "identitytoolkit.googleapis.com" => toolkit(method, rest),
            "securetoken.googleapis.com" => match rest {
                ["v1", "token"] if method == Method::POST => Some(Self::new(Access::Key, Endpoint::Refresh)),
                _ => None,
            },
            "www.googleapis.com" => www(method, rest),
            "oauth2.googleapis.com" | "token" => match (*host, rest) {
                ("token", []) | (_, ["token"]) if method == Method::POST => {
                    Some(Self::new(Access::Open, Endpoint::OAuthToken))
                }
                _ => None,
            },
            ".well-known" if method == Method::GET => match rest {
                ["jwks.json"] => Some(Self::new(Access::Open, Endpoint::Jwks)),
                ["openid-configuration"] => Some(Self::new(Access::Open, Endpoint::OpenIdConfiguration)),
                _ => None,
            },
            "emulator" => emulator(method, rest),
            _ => None,
        }
    }
}

fn toolkit(method: &Method, rest: &[&str]) -> Option<Route> {
    let (get, post, patch) = (method == Method::GET, method == Method::POST, method == Method::PATCH);
    let key = |endpoint| Some(Route::new(Access::Key, endpoint));
    match rest {
        ["v1", "projects"] if get => key(Endpoint::ProjectConfig),
        ["v1", "recaptchaParams"] if get => key(Endpoint::RecaptchaParams),
        ["v1", "sessionCookiePublicKeys"] if get => Some(Route::new(Access::Open, Endpoint::Jwks)),
        ["v1", "publicKeys"] if get => Some(Route::new(Access::Open, Endpoint::Certificates)),
        ["v1", verb] if post => key(client_verb(verb.strip_prefix("accounts:")?)?),
        ["v1", "projects", rest @ ..] => of_project(method, rest),
        ["v2", "passwordPolicy"] if get => key(Endpoint::PasswordPolicy),
        ["v2", "recaptchaConfig"] if get => key(Endpoint::RecaptchaConfig),
        ["v2", "projects", project, "config"] if get => {
            Some(Route::of_project(Access::Admin, Endpoint::GetConfig, project))
        }
        ["v2", "projects", project, "config"] if patch => {
            Some(Route::of_project(Access::Admin, Endpoint::UpdateConfig, project))
        }
        ["v2", "accounts:revokeToken" | "accounts", ..] | ["v2", "projects", _, ..] => {
            key(Endpoint::NotImplemented)
        }
        _ => None,
    }
}

/// What follows `accounts:` where a key is enough.
fn client_verb(verb: &str) -> Option<Endpoint> {
    Some(match verb {
        "signUp" => Endpoint::SignUp,
        "signInWithPassword" => Endpoint::SignInWithPassword,
        "signInWithCustomToken" => Endpoint::SignInWithCustomToken,
        "signInWithEmailLink" => Endpoint::SignInWithEmailLink,
        "lookup" => Endpoint::Lookup,
        "update" => Endpoint::Update,
        "delete" => Endpoint::Delete,
        "sendOobCode" => Endpoint::SendOobCode,
        "resetPassword" => Endpoint::ResetPassword,
        "createAuthUri" => Endpoint::CreateAuthUri,
        "signInWithIdp"
        | "signInWithPhoneNumber"
        | "sendVerificationCode"
        | "signInWithGameCenter"
        | "issueSamlResponse"
        | "verifyIosClient" => Endpoint::NotImplemented,
        _ => return None,
    })
}

/// What follows `v1/projects/`: administrators only.
fn of_project(method: &Method, rest: &[&str]) -> Option<Route> {
    let (get, post) = (method == Method::GET, method == Method::POST);
    let (project, tenant, rest) = match rest {
        [project, "tenants", tenant, rest @ ..] => (*project, Some(*tenant), rest),
        [project, rest @ ..] => (*project, None, rest),
        [] => return None,
    };
    let mut named = (project, tenant);
    let endpoint = match rest {
        ["accounts"] if post => Endpoint::SignUp,
        ["accounts:lookup"] if post => Endpoint::Lookup,
        ["accounts:update"] if post => Endpoint::Update,
        ["accounts:delete"] if post => Endpoint::Delete,
        ["accounts:sendOobCode"] if post => Endpoint::SendOobCode,
        ["accounts:batchCreate"] if post => Endpoint::BatchCreate,
        ["accounts:batchDelete"] if post => Endpoint::BatchDelete,
        ["accounts:query"] if post => Endpoint::Query,
        ["accounts:batchGet"] if get => Endpoint::BatchGet,
        // The verb hangs on the last name: a project's or a tenant's.
        [] if post => {
            let (name, verb) = tenant.unwrap_or(project).rsplit_once(':')?;
            named = if tenant.is_some() { (project, Some(name)) } else { (name, None) };
            match verb {
                "createSessionCookie" => Endpoint::CreateSessionCookie,
                "queryAccounts" => Endpoint::Query,
                _ => return None,
            }
        }
        _ => return None,
    };
    let (project, tenant) = named;
    let mut route = Route::of_project(Access::Admin, endpoint, project);
    route.tenant = tenant.filter(|tenant| !tenant.is_empty()).map(str::to_owned);
    Some(route)
}

fn www(method: &Method, rest: &[&str]) -> Option<Route> {
    const SIGNER: &str = "securetoken@system.gserviceaccount.com";
    let open = |endpoint| (method == Method::GET).then(|| Route::new(Access::Open, endpoint));
    match rest {
        ["oauth2", "v4", "token"] if method == Method::POST => {
            Some(Route::new(Access::Open, Endpoint::OAuthToken))
        }
        ["robot", "v1", "metadata", "x509", SIGNER] => open(Endpoint::Certificates),
        ["service_accounts", "v1", "jwk", SIGNER] | ["service_accounts", "v1", "metadata", "jwk", SIGNER] => {
            open(Endpoint::Jwks)
        }
        ["identitytoolkit", "v3", "relyingparty", "publicKeys"] => open(Endpoint::Certificates),
        ["identitytoolkit", "v3", "relyingparty", verb] => legacy(verb),
        _ => None,
    }
}

/// The older names, which mobile SDKs still use, with any HTTP method.
fn legacy(verb: &str) -> Option<Route> {
    let (access, endpoint) = match verb {
        "signupNewUser" => (Access::Key, Endpoint::SignUp),
        "verifyPassword" => (Access::Key, Endpoint::SignInWithPassword),
        "verifyCustomToken" => (Access::Key, Endpoint::SignInWithCustomToken),
        "emailLinkSignin" => (Access::Key, Endpoint::SignInWithEmailLink),
        "getAccountInfo" => (Access::Key, Endpoint::Lookup),
        "setAccountInfo" => (Access::Key, Endpoint::Update),
        "deleteAccount" => (Access::Key, Endpoint::Delete),
        "getOobConfirmationCode" => (Access::Key, Endpoint::SendOobCode),
        "resetPassword" => (Access::Key, Endpoint::ResetPassword),
        "createAuthUri" => (Access::Key, Endpoint::CreateAuthUri),
        "getProjectConfig" => (Access::Key, Endpoint::ProjectConfig),
        "getRecaptchaParam" => (Access::Key, Endpoint::RecaptchaParams),
        "downloadAccount" => (Access::Admin, Endpoint::BatchGet),
        "uploadAccount" => (Access::Admin, Endpoint::BatchCreate),
        "sendVerificationCode"
        | "setProjectConfig"
        | "verifyAssertion"
        | "verifyPhoneNumber"
        | "signOutUser" => (Access::Key, Endpoint::NotImplemented),
        _ => return None,
    };
    Some(Route::new(access, endpoint))
}

fn emulator(method: &Method, rest: &[&str]) -> Option<Route> {
    let endpoint = match (method.as_str(), rest) {
        ("GET", ["action"]) => return Some(Route::new(Access::Open, Endpoint::Emulator(Emulator::Action))),
        ("DELETE", ["v1", "projects", _, "accounts"]) => Endpoint::Emulator(Emulator::DeleteAll),
        ("GET", ["v1", "projects", _, "config"]) => Endpoint::Emulator(Emulator::GetConfig),
        ("PATCH", ["v1", "projects", _, "config"]) => Endpoint::Emulator(Emulator::UpdateConfig),
        ("GET", ["v1", "projects", _, "oobCodes"]) => Endpoint::Emulator(Emulator::OobCodes),
        ("GET", ["v1", "projects", _, "verificationCodes"]) => {
            Endpoint::Emulator(Emulator::VerificationCodes)
        }
        _ => return None,
    };
    Some(Route::of_project(Access::Open, endpoint, rest.get(2)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_mean_what_the_reference_says() {
        let a = "/identitytoolkit.googleapis.com";
        for (method, path, expected) in [
            ("POST", format!("{a}/v1/accounts:signUp"), Some((Endpoint::SignUp, Access::Key, None))),
            ("GET", format!("{a}/v1/accounts:signUp"), None),
            ("POST", format!("{a}/v1/projects/p/accounts"), Some((Endpoint::SignUp, Access::Admin, Some("p")))),
            ("POST", format!("{a}/v1/projects/p/accounts:update"), Some((Endpoint::Update, Access::Admin, Some("p")))),
            ("POST", format!("{a}/v1/projects/p/tenants//accounts:batchCreate"), Some((Endpoint::BatchCreate, Access::Admin, Some("p")))),
            ("GET", format!("{a}/v1/projects/p/accounts:batchGet"), Some((Endpoint::BatchGet, Access::Admin, Some("p")))),
            ("POST", format!("{a}/v1/projects/p:createSessionCookie"), Some((Endpoint::CreateSessionCookie, Access::Admin, Some("p")))),
            ("POST", format!("{a}/v1/projects/p%3AqueryAccounts"), Some((Endpoint::Query, Access::Admin, Some("p")))),
            ("POST", format!("{a}/v1/projects/p:nonsense"), None),
            ("PATCH", format!("{a}/v2/projects/p/config"), Some((Endpoint::UpdateConfig, Access::Admin, Some("p")))),
            ("POST", format!("{a}/v2/accounts/mfaEnrollment:start"), Some((Endpoint::NotImplemented, Access::Key, None))),
            ("POST", format!("{a}/v1/accounts:signInWithIdp"), Some((Endpoint::NotImplemented, Access::Key, None))),
            ("POST", format!("{a}/v1/accounts:nonsense"), None),
            ("POST", "/securetoken.googleapis.com/v1/token".into(), Some((Endpoint::Refresh, Access::Key, None))),
            ("POST", "/token".into(), Some((Endpoint::OAuthToken, Access::Open, None))),
            ("POST", "/www.googleapis.com/oauth2/v4/token".into(), Some((Endpoint::OAuthToken, Access::Open, None))),
            ("GET", "/www.googleapis.com/oauth2/v4/token".into(), None),
            ("GET", "/www.googleapis.com/robot/v1/metadata/x509/securetoken@system.gserviceaccount.com".into(), Some((Endpoint::Certificates, Access::Open, None))),
            ("GET", "/www.googleapis.com/service_accounts/v1/metadata/jwk/securetoken%40system.gserviceaccount.com".into(), Some((Endpoint::Jwks, Access::Open, None))),
            ("GET", "/www.googleapis.com/identitytoolkit/v3/relyingparty/publicKeys".into(), Some((Endpoint::Certificates, Access::Open, None))),
            ("POST", "/www.googleapis.com/identitytoolkit/v3/relyingparty/verifyPassword".into(), Some((Endpoint::SignInWithPassword, Access::Key, None))),
            ("DELETE", "/emulator/v1/projects/p/accounts".into(), Some((Endpoint::Emulator(Emulator::DeleteAll), Access::Open, Some("p")))),
            ("GET", "/nowhere".into(), None),
            ("GET", "/%ff".into(), None),
        ] {
            let route = Route::of(&method.parse().unwrap(), &path);
            let found = route.as_ref().map(|route| (route.endpoint, route.access, route.project.as_deref()));
            assert_eq!(found, expected, "{method} {path}");
        }
    }

    #[test]
    fn a_tenant_is_seen() {
        let path = "/identitytoolkit.googleapis.com/v1/projects/p/tenants/t:createSessionCookie";
        let route = Route::of(&Method::POST, path).unwrap();
        assert_eq!((route.project.as_deref(), route.tenant.as_deref()), (Some("p"), Some("t")));
    }
}
