//! Operations of two projects, one after the other, with what they answer.

use serde_json::{Value as Json, json};

use crate::harness::House;

pub const MOVIES: &str = r#"
enum Genre { DRAMA COMEDY WESTERN }
type User @table(key: "uid") { uid: String! name: String! }
type Movie @table {
  id: UUID! @default(expr: "uuidV4()")
  title: String!
  genre: Genre
  rating: Float
  year: Int
  views: Int64! @default(value: 0)
  tags: [String!]
  seen: [Timestamp!]
  extra: Any
  released: Date
  createdAt: Timestamp! @default(expr: "request.time")
  sequelTo: Movie
}
type Review @table(key: ["movie", "user"]) { movie: Movie! user: User! text: String stars: Int! }
type Poster @table { movie: Movie! @unique url: String! }
"#;

pub const OPERATIONS: &str = r#"
mutation AddUser($uid: String!, $name: String!) @auth(level: PUBLIC, insecureReason: "test") {
  user_upsert(data: {uid: $uid, name: $name})
}
mutation AddMovie($id: UUID, $title: String!, $genre: Genre, $rating: Float, $year: Int, $views: Int64, $tags: [String!], $seen: [Timestamp!], $extra: Any, $released: Date) @auth(level: NO_ACCESS) {
  movie_insert(data: {id: $id, title: $title, genre: $genre, rating: $rating, year: $year, views: $views, tags: $tags, seen: $seen, extra: $extra, released: $released})
}
mutation AddMany($data: [Movie_Data!]! @allow(fields: "id title year")) @auth(level: NO_ACCESS) { movie_insertMany(data: $data) }
mutation AddTree($title: String!, $url: String!) @auth(level: USER) {
  movie_insert(data: {title: $title, poster_on_movie: {url: $url}, reviews_on_movie: [{userUid_expr: "auth.uid", stars: 5, text: "own"}]})
}
mutation AddReview($movie: UUID!, $text: String, $stars: Int!) @auth(level: USER) {
  review_upsert(data: {movieId: $movie, userUid_expr: "auth.uid", text: $text, stars: $stars})
}
query One($id: UUID!) @auth(level: PUBLIC) {
  movie(id: $id) {
    id title genre rating year views tags seen extra released createdAt __typename
    reviews_on_movie(orderBy: {stars: DESC}) { stars text user { uid name } }
    users_via_Review(orderBy: [{stars: ASC}]) { name }
    poster_on_movie { url }
    sequelTo { title }
  }
}
query List($title: String, $min: Int, $in: [Genre!], $limit: Int, $offset: Int) @auth(level: PUBLIC) {
  movies(where: {title: {contains: $title}, year: {ge: $min}, genre: {in: $in}}, orderBy: [{year: ASC}, {title: DESC}], limit: $limit, offset: $offset) { title year }
}
query Loved @auth(level: PUBLIC) {
  some: movies(where: {reviews_on_movie: {exist: {stars: {ge: 4}}}}, orderBy: {title: ASC}) { title }
  many: movies(where: {reviews_on_movie: {count: {ge: 2}}}, orderBy: {title: ASC}) { title }
  none: movies(where: {_not: {users_via_Review: {}}}, orderBy: {title: ASC}) { title }
  of: reviews(where: {movie: {title: {startsWith: "A"}}, _or: [{stars: {gt: 4}}, {text: {isNull: true}}]}, orderBy: [{movie: {title: ASC}}]) { movieId stars }
}
query Groups @auth(level: PUBLIC) {
  movies(orderBy: {genre: ASC}, having: {_count: {ge: 1}}) { genre _count rating_avg year_max views_sum }
  all: movies { _count year_count(distinct: true) }
  genres: movies(distinct: true, orderBy: {genre: DESC}) { genre }
}
mutation Update($id: UUID!, $title: String, $genre: Genre) @auth(level: USER) {
  movie_update(id: $id, data: {title: $title, genre: $genre, year_update: [{inc: 2}, {dec: 1}], tags_update: [{append: ["x"]}, {add: ["x", "y"]}, {remove: ["a"]}], released_update: {inc: {months: 1}}, createdAt_time: {now: true, sub: {days: 1}, truncateTo: DAY}})
}
mutation UpdateMany($year: Int!) @auth(level: NO_ACCESS) { movie_updateMany(where: {year: {lt: $year}}, data: {genre: WESTERN}) }
mutation DeleteMine($id: UUID!) @auth(level: USER) {
  review_delete(first: {where: {movieId: {eq: $id}, userUid: {eq_expr: "auth.uid"}}})
}
mutation DeleteMany($title: String!) @auth(level: NO_ACCESS) { movie_deleteMany(where: {title: {eq: $title}}) }
query Find($title: String!) @auth(level: PUBLIC) { movies(where: {title: {eq: $title}}) { id title } }
query Text($contains: String, $starts: String, $ends: String, $like: String) @auth(level: PUBLIC) {
  movies(where: {title: {contains: $contains, startsWith: $starts, endsWith: $ends, pattern: {like: $like}}}, orderBy: {title: ASC}) { title }
}
query Tagged($all: [String!], $one: String, $any: Any) @auth(level: PUBLIC) {
  movies(where: {tags: {includesAll: $all, includes: $one}, extra: {eq: $any}}, orderBy: {title: ASC}) { title }
}
"#;

fn id(n: u32) -> String {
    format!("{n:032x}")
}

fn titles(answer: &Json, key: &str) -> Vec<String> {
    answer[key].as_array().unwrap().iter().map(|row| row["title"].as_str().unwrap().to_owned()).collect()
}

pub fn run(house: &House<'_>) {
    let ok = |name: &str, uid: Option<&str>, variables: Json| {
        house.call(name, uid, variables).unwrap_or_else(|said| panic!("{name}: {said}"))
    };
    ok("AddUser", None, json!({"uid": "alice", "name": "Alice"}));
    ok("AddUser", None, json!({"uid": "alice", "name": "Alice A."}));
    ok("AddUser", None, json!({"uid": "bob", "name": "Bob"}));
    let full = json!({
        "id": id(0xa1), "title": "Alien", "genre": "DRAMA", "rating": 8.5, "year": 1979,
        "views": "9007199254740993", "tags": ["a", "b \"c\" \\ {,}"], "seen": ["2026-01-02T03:04:05.678901+01:00"],
        "extra": {"b": [1, null, "x"], "a": 12345678901234567890u64}, "released": "1979-01-31",
    });
    assert_eq!(ok("AddMovie", None, full), json!({"movie_insert": {"id": id(0xa1)}}));
    ok("AddMovie", None, json!({"id": id(0xa2), "title": "Brazil", "genre": "COMEDY", "year": 1985}));
    ok("AddMovie", None, json!({"id": id(0xa3), "title": "Casablanca", "rating": 9, "year": 1942}));
    ok("AddReview", Some("alice"), json!({"movie": id(0xa1), "stars": 3, "text": "good"}));
    ok("AddReview", Some("alice"), json!({"movie": id(0xa1), "stars": 4}));
    ok("AddReview", Some("bob"), json!({"movie": id(0xa1), "stars": 5}));
    assert_eq!(
        ok("One", None, json!({"id": id(0xa1)}))["movie"],
        json!({
            "id": id(0xa1), "title": "Alien", "genre": "DRAMA", "rating": 8.5, "year": 1979,
            "views": "9007199254740993", "tags": ["a", "b \"c\" \\ {,}"], "seen": ["2026-01-02T02:04:05.678901Z"],
            "extra": {"a": 12345678901234567890u64, "b": [1, null, "x"]}, "released": "1979-01-31",
            "createdAt": "2026-11-30T12:00:00.000000Z", "__typename": "Movie",
            "reviews_on_movie": [
                {"stars": 5, "text": null, "user": {"uid": "bob", "name": "Bob"}},
                // An upsert without a text keeps the stored one.
                {"stars": 4, "text": "good", "user": {"uid": "alice", "name": "Alice A."}},
            ],
            "users_via_Review": [{"name": "Alice A."}, {"name": "Bob"}],
            "poster_on_movie": null, "sequelTo": null,
        })
    );
    assert_eq!(ok("One", None, json!({"id": id(0xff)})), json!({"movie": null}));
    lists(house);
    writes(house);
}

fn lists(house: &House<'_>) {
    let ok = |name: &str, variables: Json| house.call(name, None, variables).unwrap();
    let listed = |variables| titles(&ok("List", variables), "movies");
    assert_eq!(listed(json!({})), ["Casablanca", "Alien", "Brazil"]);
    assert_eq!(listed(json!({"min": 1979})), ["Alien", "Brazil"]);
    assert_eq!(listed(json!({"in": ["COMEDY", "WESTERN"]})), ["Brazil"]);
    assert_eq!(listed(json!({"in": null})), [""; 0]);
    assert_eq!(listed(json!({"limit": 1, "offset": 1})), ["Alien"]);
    assert!(house.call("List", None, json!({"limit": -1})).is_err());
    assert!(house.call("List", None, json!({"limit": 100_001})).is_err());
    let loved = ok("Loved", json!({}));
    assert_eq!(titles(&loved, "some"), ["Alien"]);
    assert_eq!(titles(&loved, "many"), ["Alien"]);
    assert_eq!(titles(&loved, "none"), ["Brazil", "Casablanca"]);
    assert_eq!(loved["of"], json!([{"movieId": id(0xa1), "stars": 5}]));
    let groups = ok("Groups", json!({}));
    assert_eq!(groups["all"], json!([{"_count": 3, "year_count": 3}]));
    assert_eq!(groups["genres"], json!([{"genre": null}, {"genre": "COMEDY"}, {"genre": "DRAMA"}]));
    assert_eq!(
        groups["movies"][0],
        json!({"genre": "DRAMA", "_count": 1, "rating_avg": 8.5, "year_max": 1979, "views_sum": "9007199254740993"})
    );
    assert_eq!(titles(&ok("Tagged", json!({"one": "a"})), "movies"), ["Alien"]);
    assert_eq!(titles(&ok("Tagged", json!({"all": []})), "movies"), ["Alien"]);
    assert_eq!(titles(&ok("Tagged", json!({"all": null})), "movies"), [""; 0]);
    assert_eq!(titles(&ok("Tagged", json!({"any": null})), "movies"), ["Brazil", "Casablanca"]);
}

fn writes(house: &House<'_>) {
    let ok = |name: &str, uid: Option<&str>, variables: Json| {
        house.call(name, uid, variables).unwrap_or_else(|said| panic!("{name}: {said}"))
    };
    let row = |n: u32| ok("One", None, json!({"id": id(n)}))["movie"].clone();
    assert_eq!(
        ok("Update", Some("bob"), json!({"id": id(0xa1), "genre": null})),
        json!({"movie_update": {"id": id(0xa1)}})
    );
    let alien = row(0xa1);
    assert_eq!(alien["title"], "Alien", "an omitted title stays");
    assert_eq!(alien["genre"], Json::Null);
    assert_eq!((&alien["year"], &alien["released"]), (&json!(1980), &json!("1979-02-28")));
    assert_eq!(alien["tags"], json!(["b \"c\" \\ {,}", "x", "y"]));
    assert_eq!(alien["createdAt"], "2026-11-29T00:00:00.000000Z");
    assert_eq!(ok("Update", Some("bob"), json!({"id": id(0xff)})), json!({"movie_update": null}));
    assert_eq!(ok("UpdateMany", None, json!({"year": 1950})), json!({"movie_updateMany": 1}));
    assert_eq!(row(0xa3)["genre"], "WESTERN");
    assert_eq!(ok("DeleteMine", Some("eve"), json!({"id": id(0xa1)})), json!({"review_delete": null}));
    assert_eq!(
        ok("DeleteMine", Some("bob"), json!({"id": id(0xa1)})),
        json!({"review_delete": {"movieId": id(0xa1), "userUid": "bob"}})
    );
    let many = json!({"data": [{"id": id(3), "title": "c"}, {"id": id(1), "title": "a", "year": 1}, {"id": id(2), "title": "b"}]});
    assert_eq!(
        ok("AddMany", None, many),
        json!({"movie_insertMany": [{"id": id(3)}, {"id": id(1)}, {"id": id(2)}]})
    );
    let made = ok("AddTree", Some("alice"), json!({"title": "Tree", "url": "u"}));
    let tree = ok("One", None, json!({"id": made["movie_insert"]["id"]}))["movie"].clone();
    assert_eq!(tree["poster_on_movie"], json!({"url": "u"}));
    assert_eq!(tree["reviews_on_movie"][0]["text"], "own");
    assert_eq!(ok("DeleteMany", None, json!({"title": "Tree"})), json!({"movie_deleteMany": 1}));
    let orphan = house.call("AddReview", Some("nobody"), json!({"movie": id(0xa1), "stars": 1}));
    assert!(orphan.unwrap_err().contains("review_user_uid_fkey"));
    assert!(
        house
            .call("AddReview", None, json!({"movie": id(0xa1), "stars": 1}))
            .unwrap_err()
            .contains("auth.uid")
    );
}

pub const BLOG: &str = r#"
type User @table(key: "uid") { uid: String! name: String birthday: Date createdAt: Timestamp! @default(expr: "request.time") }
type Post @table {
  author: User!
  text: String!
  visibility: String! @default(value: "draft")
  publishedAt: Timestamp! @default(expr: "request.time")
  createdAt: Timestamp! @default(expr: "request.time")
  updatedAt: Timestamp! @default(expr: "request.time")
}
"#;

pub const BLOG_OPERATIONS: &str = r#"
mutation Me @auth(level: USER) { user_upsert(data: {uid_expr: "auth.uid"}) }
mutation CreatePost($text: String!, $visibility: String) @auth(level: USER) {
  post_insert(data: { authorUid_expr: "auth.uid" text: $text visibility: $visibility })
}
mutation UpdatePost($id: UUID!, $text: String, $visibility: String) @auth(level: USER) {
  post_update(first: { where: { id: {eq: $id} authorUid: {eq_expr: "auth.uid"} }} data: { text: $text visibility: $visibility updatedAt_expr: "request.time" })
}
mutation DeletePost($id: UUID!) @auth(level: USER) {
  post_delete(first: { where: { id: {eq: $id} authorUid: {eq_expr: "auth.uid"} }})
}
fragment DisplayPost on Post { id, text, createdAt, updatedAt author { uid, name } }
query ListMyPosts @auth(level: USER) { posts(where: { authorUid: {eq_expr: "auth.uid"} }) { ...DisplayPost visibility } }
query ListPublicPosts @auth(level: PUBLIC) {
  posts(where: { visibility: {eq: "public"} publishedAt: {le_expr: "request.time"} }) { ...DisplayPost }
}
query ProTeaser @auth(level: USER) {
  posts(where: { visibility: {eq: "pro"} publishedAt: {lt_time: {now: true, sub: {days: 30}}} }, orderBy: [{publishedAt: DESC}], limit: 2) { ...DisplayPost }
}
"#;

/// The first half of the seed (S1 to S5, S8, S10).
pub fn run_blog(house: &House<'_>) {
    let ok = |name: &str, uid: &str, variables: Json| {
        house.call(name, Some(uid), variables).unwrap_or_else(|said| panic!("{name}: {said}"))
    };
    let missing = house.call("CreatePost", Some("alice"), json!({"text": "t"})).unwrap_err();
    assert!(missing.contains("post_author_uid_fkey"), "{missing}");
    ok("Me", "alice", json!({}));
    ok("Me", "bob", json!({}));
    let post = ok("CreatePost", "alice", json!({"text": "hello"}))["post_insert"]["id"].clone();
    let mine = ok("ListMyPosts", "alice", json!({}));
    assert_eq!(
        (&mine["posts"][0]["visibility"], &mine["posts"][0]["author"]["uid"]),
        (&json!("draft"), &json!("alice"))
    );
    assert_eq!(ok("ListMyPosts", "bob", json!({})), json!({"posts": []}));
    let null = house.call("CreatePost", Some("alice"), json!({"text": "t", "visibility": null})).unwrap_err();
    assert!(null.contains("not-null"), "{null}");
    assert_eq!(ok("UpdatePost", "bob", json!({"id": post, "text": "stolen"})), json!({"post_update": null}));
    assert_eq!(
        ok("UpdatePost", "alice", json!({"id": post, "visibility": "public"})),
        json!({"post_update": {"id": post}})
    );
    let public = house.call("ListPublicPosts", None, json!({})).unwrap();
    assert_eq!(public["posts"][0]["text"], "hello");
    assert_eq!(ok("ProTeaser", "bob", json!({})), json!({"posts": []}));
    assert_eq!(ok("DeletePost", "bob", json!({"id": post})), json!({"post_delete": null}));
    assert_eq!(ok("DeletePost", "alice", json!({"id": post})), json!({"post_delete": {"id": post}}));
}
