//! Data Connect: GraphQL schemas and operations on PostgreSQL, each operation decided by its own guards.
