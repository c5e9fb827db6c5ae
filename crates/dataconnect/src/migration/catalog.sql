-- What is in the schema $1 (`pg_temp`: the session's temporary one), as one JSON text. PostgreSQL 13 and later.
WITH space AS (
  SELECT oid, quote_ident(nspname) || '.' AS prefix FROM pg_namespace
  WHERE oid = CASE $1::text WHEN 'pg_temp' THEN pg_my_temp_schema() ELSE to_regnamespace(quote_ident($1::text))::oid END
), relation AS (
  SELECT c.oid, c.relname, c.relkind, obj_description(c.oid, 'pg_class') AS note
  FROM pg_class c JOIN space ON c.relnamespace = space.oid WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f')
)
SELECT json_build_object(
  'enums', (SELECT coalesce(json_agg(json_build_object(
      'name', t.typname,
      'note', obj_description(t.oid, 'pg_type'),
      'values', (SELECT json_agg(e.enumlabel ORDER BY e.enumsortorder) FROM pg_enum e WHERE e.enumtypid = t.oid)
    ) ORDER BY t.typname), '[]'::json) FROM pg_type t JOIN space ON t.typnamespace = space.oid WHERE t.typtype = 'e'),
  'tables', (SELECT coalesce(json_agg(json_build_object(
      'name', r.relname,
      'note', r.note,
      'columns', (SELECT coalesce(json_agg(json_build_object(
          'name', a.attname,
          'type', CASE WHEN element.typtype = 'e' THEN quote_ident(element.typname) || '[]'
                       WHEN own.typtype = 'e' THEN quote_ident(own.typname)
                       ELSE format_type(a.atttypid, a.atttypmod) END,
          'required', a.attnotnull,
          'default', CASE WHEN a.attgenerated = '' THEN replace(pg_get_expr(d.adbin, d.adrelid), space.prefix, '') END,
          'generated', CASE WHEN a.attgenerated <> '' THEN replace(pg_get_expr(d.adbin, d.adrelid), space.prefix, '') END,
          'identity', a.attidentity <> ''
        ) ORDER BY a.attnum), '[]'::json)
        FROM pg_attribute a
        JOIN pg_type own ON own.oid = a.atttypid
        LEFT JOIN pg_type element ON element.oid = own.typelem AND own.typlen = -1
        LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
        WHERE a.attrelid = r.oid AND a.attnum > 0 AND NOT a.attisdropped),
      'key', (SELECT json_build_object('name', k.conname, 'columns',
          (SELECT json_agg(a.attname ORDER BY n.n) FROM unnest(k.conkey) WITH ORDINALITY AS n(at, n)
           JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = n.at))
        FROM pg_constraint k WHERE k.conrelid = r.oid AND k.contype = 'p'),
      'indexes', (SELECT coalesce(json_agg(json_build_object(
          'name', named.relname,
          'unique', i.indisunique,
          'method', am.amname,
          'is_plain', i.indpred IS NULL AND i.indexprs IS NULL AND i.indisvalid,
          'of_constraint', EXISTS (SELECT 1 FROM pg_constraint k WHERE k.conindid = i.indexrelid AND k.contype <> 'f'),
          'columns', (SELECT coalesce(json_agg(json_build_object(
              'name', a.attname, 'descends', (i.indoption[n.n - 1] & 1) = 1) ORDER BY n.n), '[]'::json)
            FROM unnest(i.indkey::int2[]) WITH ORDINALITY AS n(at, n)
            JOIN pg_attribute a ON a.attrelid = r.oid AND a.attnum = n.at WHERE n.n <= i.indnkeyatts)
        ) ORDER BY named.relname), '[]'::json)
        FROM pg_index i JOIN pg_class named ON named.oid = i.indexrelid JOIN pg_am am ON am.oid = named.relam
        WHERE i.indrelid = r.oid AND NOT i.indisprimary),
      'references', (SELECT coalesce(json_agg(json_build_object(
          'name', k.conname,
          'target', of.relname,
          'columns', (SELECT json_agg(a.attname ORDER BY n.n) FROM unnest(k.conkey) WITH ORDINALITY AS n(at, n)
            JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = n.at),
          'matches', (SELECT json_agg(a.attname ORDER BY n.n) FROM unnest(k.confkey) WITH ORDINALITY AS n(at, n)
            JOIN pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = n.at),
          'on_delete', CASE k.confdeltype WHEN 'c' THEN 'CASCADE' WHEN 'n' THEN 'SET NULL' WHEN 'r' THEN 'RESTRICT'
            WHEN 'd' THEN 'SET DEFAULT' ELSE 'NO ACTION' END
        ) ORDER BY k.conname), '[]'::json)
        FROM pg_constraint k JOIN pg_class of ON of.oid = k.confrelid WHERE k.conrelid = r.oid AND k.contype = 'f')
    ) ORDER BY r.relname), '[]'::json) FROM relation r CROSS JOIN space WHERE r.relkind IN ('r', 'p')),
  'views', (SELECT coalesce(json_agg(r.relname ORDER BY r.relname), '[]'::json) FROM relation r
    WHERE r.relkind NOT IN ('r', 'p'))
)::text
