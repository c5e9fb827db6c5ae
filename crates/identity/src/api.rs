//! The HTTP face: paths, credentials, JSON. It decodes, asks one verb, and encodes; nothing is decided here but who
//! may ask at all.
//!
//! Every path begins with the name of the Google host it stands for, on every listener. Faults on endpoints that
//! browsers call are answered in plain text: a JSON body, whatever it said, would make the JavaScript SDK throw the
//! stored session away.
//!
//! Source: the identity reference, sections 1, 3 and 4.

mod answer;
mod request;
mod route;

use std::sync::Arc;

use access::{Caller, ClientAddress, Credential, Network, Principal};
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::response::Response;
use axum::routing::{any, get};
use http::{HeaderMap, StatusCode, header};
use serde::de::DeserializeOwned;
use serde_json::{Value as Json, json};

use crate::Identity;
use crate::limits::BODY_BYTES_MAX;
use crate::model::account::ServiceAccount;
use crate::model::config::Config;
use crate::model::key::Realm;
use crate::ops::account::{Exchange, JWT_BEARER};
use crate::ops::batch::BatchDelete;
use crate::ops::config::{GetConfig, ReadConfig, UpdateConfig};
use crate::ops::cookie::CreateSessionCookie;
use crate::ops::delete::{Delete, DeleteSome};
use crate::ops::import::BatchCreate;
use crate::ops::lookup::{BatchGet, Lookup, Query};
use crate::ops::methods::CreateAuthUri;
use crate::ops::oob::{ListOobCodes, ResetPassword, SendOobCode, SignInWithEmailLink};
use crate::ops::refresh::Refresh;
use crate::ops::sign_in::{SignInWithCustomToken, SignInWithPassword};
use crate::ops::sign_up::SignUp;
use crate::ops::update::Update;
use crate::ops::{RequestContext, Verb};
use crate::status::{
    Failure, INVALID_PROJECT_ID, MISSING_API_KEY, NOT_FOUND, Refused, UNAUTHENTICATED, WRONG_PROJECT,
    authentication_required, body_too_large, not_implemented, wrong_shape,
};
use crate::tokens::Tokens;
use request::{Fields, Parameters, is_form};
use route::{Access, Emulator, Endpoint, Route};

/// All paths of this service, to be merged into a server's router.
pub fn router(identity: Arc<Identity>) -> Router {
    let mut router = Router::new()
        .route("/identitytoolkit.googleapis.com/{*rest}", any(serve))
        .route("/securetoken.googleapis.com/{*rest}", any(serve))
        .route("/www.googleapis.com/{*rest}", any(serve))
        .route("/oauth2.googleapis.com/token", any(serve))
        .route("/token", any(serve))
        .route("/.well-known/jwks.json", any(serve))
        .route("/.well-known/openid-configuration", any(serve));
    if !identity.serves() {
        router = router
            .route("/emulator/v1/projects/{project}/accounts", any(serve))
            .route("/emulator/v1/projects/{project}/config", any(serve))
            .route("/emulator/v1/projects/{project}/oobCodes", any(serve))
            .route("/emulator/v1/projects/{project}/verificationCodes", any(serve))
            .route("/emulator/action", any(serve));
    }
    router.with_state(identity)
}

/// What answers `GET /` on the emulator's own port.
pub fn welcome() -> Router {
    let body = json!({ "authEmulator": { "ready": true, "docs": "https://firebase.google.com/docs/emulator-suite" } });
    Router::new().route("/", get(move || async move { json_response(StatusCode::OK, &body) }))
}

async fn serve(State(identity): State<Arc<Identity>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let Some(route) = Route::of(&parts.method, parts.uri.path()) else { return refusal(&NOT_FOUND) };
    let Ok(body) = to_bytes(body, BODY_BYTES_MAX).await else { return refusal(&body_too_large()) };
    let query = Parameters::parse(parts.uri.query().unwrap_or_default());
    let network = parts.extensions.get::<ClientAddress>().map(|address| address.network());
    let call = Call { identity: &identity, route, headers: parts.headers, query, body: &body, network };
    let client = call.route.access == Access::Key;
    match call.answer().await {
        Ok(answer) => answer,
        Err(Failure::Refused(refused)) => refusal(&refused),
        Err(Failure::Fault(status)) => fault(&status, client),
    }
}

struct Call<'a> {
    identity: &'a Arc<Identity>,
    route: Route,
    headers: HeaderMap,
    query: Parameters,
    body: &'a [u8],
    network: Option<Network>,
}

impl Call<'_> {
    async fn answer(&self) -> Result<Response, Failure> {
        if let Some(answer) = self.published()? {
            return Ok(answer);
        }
        match self.route.endpoint {
            Endpoint::OAuthToken => return self.oauth_token().await,
            Endpoint::NotImplemented => return Err(not_implemented("This operation").into()),
            _ => {}
        }
        let (credential, keyed) = (self.credential(), self.has_key());
        let none = credential == Credential::None;
        match self.route.access {
            Access::Key if none && !keyed => return Err(MISSING_API_KEY.into()),
            // As the emulator does, dev says the one where production says the other.
            Access::Admin if none && !keyed && !self.identity.serves() => return Err(MISSING_API_KEY.into()),
            Access::Admin if none => return Err(authentication_required().into()),
            _ => {}
        }
        let form = self.route.endpoint == Endpoint::Refresh && is_form(&self.headers);
        let fields = match () {
            () if self.route.bodiless() => Fields::default(),
            () if form => Parameters::parse(&String::from_utf8_lossy(self.body)).into_fields(),
            () => Fields::parse(self.body)?,
        };
        let target = fields.text("targetProjectId");
        let project = self.route.project.as_deref().or(target).unwrap_or(&self.identity.settings.project);
        if project.is_empty() || project.len() > 128 {
            return Err(INVALID_PROJECT_ID.into());
        }
        let caller = match self.route.access {
            Access::Open => Caller::unauthenticated(),
            Access::Key | Access::Admin => self.caller(project, credential).await?,
        };
        if target.is_some() && !caller.is_admin() {
            return Err(WRONG_PROJECT.into());
        }
        let tenant = self.route.tenant.as_deref().or(fields.text("tenantId")).or(self.query.get("tenantId"));
        if tenant.is_some_and(|tenant| !tenant.is_empty()) {
            return Err(not_implemented("Multi-tenancy").into());
        }
        let context = self.identity.request_context(
            Realm::of(project),
            caller,
            fields.text("idToken"),
            self.origin(),
            self.network,
        );
        let answer = self.run(&context, fields).await?;
        Ok(json_response(StatusCode::OK, &answer))
    }

    /// Runs the verb behind the path.
    async fn run(&self, context: &RequestContext, fields: Fields) -> Result<Json, Failure> {
        let settings = &self.identity.settings;
        Ok(match self.route.endpoint {
            Endpoint::SignUp
            | Endpoint::SignInWithPassword
            | Endpoint::SignInWithCustomToken
            | Endpoint::SignInWithEmailLink => self.sign_in(context, fields).await?,
            Endpoint::Refresh => {
                answer::refreshed(&self.verb::<Refresh>(context, fields).await?, &settings.project_number)
            }
            Endpoint::Lookup => answer::looked_up(&self.verb::<Lookup>(context, fields).await?),
            Endpoint::Update => answer::updated(&self.verb::<Update>(context, fields).await?),
            Endpoint::Delete => {
                self.verb::<Delete>(context, fields).await?;
                json!({ "kind": "identitytoolkit#DeleteAccountResponse" })
            }
            Endpoint::BatchGet => {
                let page = self.identity.run(context, &self.batch_get(&fields)?).await?;
                answer::listed(&page, !self.identity.serves())
            }
            Endpoint::BatchCreate => {
                let errors = self.verb::<BatchCreate>(context, fields).await?;
                answer::batch("identitytoolkit#UploadAccountResponse", "error", &errors)
            }
            Endpoint::BatchDelete => {
                let errors = self.verb::<BatchDelete>(context, fields).await?;
                answer::batch("identitytoolkit#BatchDeleteAccountsResponse", "errors", &errors)
            }
            Endpoint::Query => answer::queried(&self.verb::<Query>(context, fields).await?),
            Endpoint::CreateSessionCookie => {
                json!({ "sessionCookie": self.verb::<CreateSessionCookie>(context, fields).await? })
            }
            Endpoint::SendOobCode => answer::oob_sent(&self.verb::<SendOobCode>(context, fields).await?),
            Endpoint::ResetPassword => {
                answer::password_reset(&self.verb::<ResetPassword>(context, fields).await?)
            }
            Endpoint::CreateAuthUri => answer::methods(&self.verb::<CreateAuthUri>(context, fields).await?),
            Endpoint::ProjectConfig => {
                let config = self.identity.run(context, &ReadConfig).await?;
                let domains = config.authorized_domains().cloned();
                let domains = domains.unwrap_or_else(|| json!(settings.authorized_domains));
                json!({ "projectId": settings.project_number, "authorizedDomains": domains })
            }
            Endpoint::RecaptchaParams => answer::recaptcha_params(),
            Endpoint::RecaptchaConfig => answer::recaptcha_config(),
            Endpoint::PasswordPolicy => {
                self.identity.run(context, &ReadConfig).await?.password_policy().shown()
            }
            Endpoint::GetConfig => self.config(context, &self.identity.run(context, &GetConfig).await?),
            Endpoint::UpdateConfig => {
                let mask = self.query.get("updateMask").filter(|mask| !mask.is_empty());
                let update = UpdateConfig { changes: fields.changes(mask)?, replaces: mask.is_none() };
                self.config(context, &self.identity.run(context, &update).await?)
            }
            Endpoint::Emulator(emulated) => return self.emulate(emulated, context, &fields).await,
            Endpoint::OAuthToken
            | Endpoint::Certificates
            | Endpoint::Jwks
            | Endpoint::OpenIdConfiguration
            | Endpoint::NotImplemented => return Err(NOT_FOUND.into()),
        })
    }

    /// Makes somebody signed in; whom a blocking function has disabled meanwhile is not.
    async fn sign_in(&self, context: &RequestContext, fields: Fields) -> Result<Json, Failure> {
        Ok(match self.route.endpoint {
            Endpoint::SignUp => {
                answer::signed_up(&self.verb::<SignUp>(context, fields).await?.unless_disabled(context)?)
            }
            Endpoint::SignInWithPassword => {
                let signed = self.verb::<SignInWithPassword>(context, fields).await?;
                answer::with_password(&signed.unless_disabled(context)?)
            }
            Endpoint::SignInWithCustomToken => {
                answer::with_custom_token(&self.verb::<SignInWithCustomToken>(context, fields).await?)
            }
            _ => {
                let signed = self.verb::<SignInWithEmailLink>(context, fields).await?;
                answer::with_email_link(&signed.unless_disabled(context)?)
            }
        })
    }

    /// The settings as administrators see them.
    fn config(&self, context: &RequestContext, config: &Config) -> Json {
        answer::with_defaults(answer::config(config, &context.realm.project), self.identity.serves())
    }

    /// Reads a verb's parameters from the request and runs it.
    async fn verb<V: Verb + DeserializeOwned + Send>(
        &self,
        context: &RequestContext,
        fields: Fields,
    ) -> Result<V::Output, Failure> {
        self.identity.run(context, &fields.read::<V>()?).await
    }

    /// A page of users: its parameters may stand in the query or in the body.
    fn batch_get(&self, fields: &Fields) -> Result<BatchGet, Failure> {
        let max_results = match self.query.get("maxResults").or(fields.text("maxResults")) {
            None => None,
            Some(text) => Some(text.parse().map_err(|_| wrong_shape("Invalid maxResults."))?),
        };
        let next_page_token = self.query.get("nextPageToken").or(fields.text("nextPageToken"));
        Ok(BatchGet { max_results, next_page_token: next_page_token.map(str::to_owned) })
    }

    /// What only the emulator has, and only dev answers.
    async fn emulate(
        &self,
        endpoint: Emulator,
        context: &RequestContext,
        fields: &Fields,
    ) -> Result<Json, Failure> {
        let identity = self.identity;
        Ok(match endpoint {
            Emulator::GetConfig => answer::emulator_config(&identity.run(context, &GetConfig).await?),
            Emulator::UpdateConfig => {
                let changes = fields.emulator_changes();
                let update = UpdateConfig { changes, replaces: false };
                answer::emulator_config(&identity.run(context, &update).await?)
            }
            Emulator::DeleteAll => {
                let permit = identity.gate.mode().dev().ok_or(NOT_FOUND)?;
                while identity.run(context, &DeleteSome { permit }).await? {}
                json!({})
            }
            Emulator::OobCodes => {
                identity.gate.mode().dev().ok_or(NOT_FOUND)?;
                answer::oob_codes(&identity.run(context, &ListOobCodes).await?)
            }
            Emulator::VerificationCodes => json!({ "verificationCodes": [] }),
            Emulator::Action => return self.action(context).await,
        })
    }

    /// The page behind a link of dev: it does what the link says and tells about it in JSON.
    async fn action(&self, context: &RequestContext) -> Result<Json, Failure> {
        self.identity.gate.mode().dev().ok_or(NOT_FOUND)?;
        let oob_code = self.query.get("oobCode").map(str::to_owned);
        match self.query.get("mode").unwrap_or_default() {
            "resetPassword" => {
                let new_password = self.query.get("newPassword").map(str::to_owned);
                if new_password.is_none() {
                    return Ok(json!({ "authEmulator": {
                        "error": "missing newPassword query parameter",
                        "instructions": "To reset the password, append &newPassword=YOUR_NEW_PASSWORD to this URL.",
                    } }));
                }
                let code = self.identity.run(context, &ResetPassword { oob_code, new_password }).await?;
                Ok(json!({ "authEmulator": {
                    "success": "The password has been successfully updated.", "email": code.email,
                } }))
            }
            "verifyEmail" | "verifyAndChangeEmail" | "recoverEmail" => {
                let updated = self.identity.run(context, &Update { oob_code, ..Update::default() }).await?;
                Ok(json!({ "authEmulator": {
                    "success": "The email has been successfully verified.", "email": updated.user.email,
                } }))
            }
            _ => Err(Refused::text("Invalid mode").into()),
        }
    }

    /// The endpoints that publish keys: the same for everyone.
    fn published(&self) -> Result<Option<Response>, Failure> {
        let ring = match &self.identity.tokens {
            Tokens::Signed(signed) => signed.ring.load_full(),
            Tokens::Unsigned(..) => Arc::default(),
        };
        let body = match self.route.endpoint {
            Endpoint::Certificates => ring.x509(),
            Endpoint::Jwks => ring.jwks(),
            Endpoint::OpenIdConfiguration => {
                let issuer = format!("https://securetoken.google.com/{}", self.identity.settings.project);
                json!({
                    "issuer": issuer,
                    "jwks_uri": format!("{}/.well-known/jwks.json", self.here()),
                    "response_types_supported": ["id_token"],
                    "subject_types_supported": ["public"],
                    "id_token_signing_alg_values_supported": ["RS256"],
                })
            }
            _ => return Ok(None),
        };
        let mut response = json_response(StatusCode::OK, &body);
        let policy = format!("public, max-age={}, must-revalidate", crate::limits::KEYS_MAX_AGE_S);
        let policy = policy.parse().map_err(|_| NOT_FOUND)?;
        response.headers_mut().insert(header::CACHE_CONTROL, policy);
        Ok(Some(response))
    }

    /// Access tokens for service accounts, in OAuth's own shapes.
    async fn oauth_token(&self) -> Result<Response, Failure> {
        let form = Parameters::parse(&String::from_utf8_lossy(self.body));
        let refuse = |error: &str, description: &str| {
            json_response(
                StatusCode::BAD_REQUEST,
                &json!({ "error": error, "error_description": description }),
            )
        };
        if !self.identity.serves() {
            return Err(not_implemented("The token endpoint, in dev,").into());
        }
        if form.get("grant_type") != Some(JWT_BEARER) {
            return Ok(refuse("unsupported_grant_type", &format!("Only {JWT_BEARER} is supported.")));
        }
        let Some(assertion) = form.get("assertion") else {
            return Ok(refuse("invalid_request", "Missing assertion."));
        };
        let project = crate::token::Jwt::parse(assertion)
            .ok()
            .and_then(|jwt| {
                crate::token::text(&jwt.claims, "iss").and_then(ServiceAccount::project_of).map(str::to_owned)
            })
            .unwrap_or_else(|| self.identity.settings.project.clone());
        let context = self.identity.request_context(
            Realm::of(&project),
            Caller::unauthenticated(),
            None,
            self.origin(),
            self.network,
        );
        match self.identity.run(&context, &Exchange { assertion: assertion.to_owned() }).await {
            Ok(token) => Ok(json_response(
                StatusCode::OK,
                &json!({ "access_token": token, "expires_in": 3599, "token_type": "Bearer" }),
            )),
            Err(Failure::Refused(refused)) => Ok(refuse("invalid_grant", &refused.message)),
            Err(fault) => Err(fault),
        }
    }

    /// Administrators come with a bearer; whoever comes with another one is refused, key or not.
    async fn caller(&self, project: &str, credential: Credential<'_>) -> Result<Caller, Failure> {
        match self.identity.caller(project, credential).await {
            Ok(Caller { who: Principal::User(_), .. }) => Err(UNAUTHENTICATED.into()),
            Ok(caller) => Ok(caller),
            Err(status) if status.code == base::Code::Unauthenticated => Err(UNAUTHENTICATED.into()),
            Err(status) => Err(Failure::Fault(status)),
        }
    }

    fn credential(&self) -> Credential<'_> {
        let header = self.headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        header.map_or(Credential::None, Credential::from_header)
    }

    fn has_key(&self) -> bool {
        self.query.get("key").is_some_and(|key| !key.is_empty())
            || self.headers.get("x-goog-api-key").is_some_and(|key| !key.is_empty())
    }

    /// Where this house is reached, as far as the request knows.
    fn here(&self) -> String {
        let host = || self.headers.get(header::HOST).and_then(|value| value.to_str().ok());
        self.public_url().unwrap_or_else(|| format!("http://{}", host().unwrap_or("localhost:9099")))
    }

    /// What links in e-mails begin with. In serve never what the client says in `Host`: a link would carry its code there.
    fn origin(&self) -> String {
        if !self.identity.serves() {
            return self.here();
        }
        let usual = || format!("https://{}.firebaseapp.com", self.identity.settings.project);
        self.public_url().filter(|url| url.starts_with("https://")).unwrap_or_else(usual)
    }

    fn public_url(&self) -> Option<String> {
        self.identity.settings.public_url.as_ref().map(|url| url.trim_end_matches('/').to_owned())
    }
}

fn json_response(status: StatusCode, body: &Json) -> Response {
    let mut response = Response::new(Body::from(body.to_string()));
    *response.status_mut() = status;
    let json = header::HeaderValue::from_static("application/json; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, json);
    response
}

fn refusal(refused: &Refused) -> Response {
    let status = StatusCode::from_u16(refused.http).unwrap_or(StatusCode::BAD_REQUEST);
    json_response(status, &refused.body())
}

fn fault(status: &base::Status, client: bool) -> Response {
    tracing::error!(%status, "a request could not be served");
    if client {
        let mut response =
            Response::new(Body::from("The service is currently unavailable. Please try again.\n"));
        *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
        let text = header::HeaderValue::from_static("text/plain; charset=utf-8");
        response.headers_mut().insert(header::CONTENT_TYPE, text);
        return response;
    }
    let http = status.code.http();
    let body = json!({ "error": {
        "code": http, "message": status.message, "status": status.code.name(),
        "errors": [{ "message": status.message, "reason": "backendError", "domain": "global" }],
    } });
    json_response(StatusCode::from_u16(http).unwrap_or(StatusCode::SERVICE_UNAVAILABLE), &body)
}
