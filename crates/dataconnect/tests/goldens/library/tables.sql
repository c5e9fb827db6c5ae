CREATE TYPE "shelf" AS ENUM ('LOW', 'HIGH');
CREATE TABLE "book" (
  "id" uuid NOT NULL DEFAULT gen_random_uuid(),
  "sequel_to_id" uuid,
  "pages" int4,
  "shelf" "shelf",
  "tags" text[],
  "title" text NOT NULL,
  "_hearth_ts" tsvector GENERATED ALWAYS AS (to_tsvector('english'::regconfig, coalesce("title", ''))) STORED,
  CONSTRAINT "book_pkey" PRIMARY KEY ("id")
);
CREATE TABLE "cover" (
  "id" uuid NOT NULL DEFAULT gen_random_uuid(),
  "book_id" uuid NOT NULL,
  "likeness" float4[] NOT NULL,
  CONSTRAINT "cover_pkey" PRIMARY KEY ("id")
);
CREATE TABLE "loan" (
  "book_id" uuid NOT NULL,
  "reader_uid" text NOT NULL,
  "until" date NOT NULL,
  CONSTRAINT "loan_pkey" PRIMARY KEY ("book_id", "reader_uid")
);
CREATE TABLE "reader" (
  "uid" text NOT NULL,
  "name" text,
  "_hearth_ts" tsvector GENERATED ALWAYS AS (to_tsvector('english'::regconfig, coalesce("name", ''))) STORED,
  CONSTRAINT "reader_pkey" PRIMARY KEY ("uid")
);
CREATE INDEX "book_pages_idx" ON "book" ("pages");
CREATE INDEX "book_sequelToId_idx" ON "book" ("sequel_to_id");
CREATE INDEX "book_hearth_ts_idx" ON "book" USING gin ("_hearth_ts");
ALTER TABLE "book" ADD CONSTRAINT "book_sequel_to_id_fkey" FOREIGN KEY ("sequel_to_id") REFERENCES "book" ("id") ON DELETE SET NULL;
CREATE UNIQUE INDEX "cover_bookId_uidx" ON "cover" ("book_id");
CREATE INDEX "cover_bookId_idx" ON "cover" ("book_id");
ALTER TABLE "cover" ADD CONSTRAINT "cover_book_id_fkey" FOREIGN KEY ("book_id") REFERENCES "book" ("id") ON DELETE CASCADE;
CREATE INDEX "loan_bookId_idx" ON "loan" ("book_id");
CREATE INDEX "loan_readerUid_idx" ON "loan" ("reader_uid");
ALTER TABLE "loan" ADD CONSTRAINT "loan_book_id_fkey" FOREIGN KEY ("book_id") REFERENCES "book" ("id") ON DELETE CASCADE;
ALTER TABLE "loan" ADD CONSTRAINT "loan_reader_uid_fkey" FOREIGN KEY ("reader_uid") REFERENCES "reader" ("uid") ON DELETE CASCADE;
CREATE INDEX "reader_hearth_ts_idx" ON "reader" USING gin ("_hearth_ts");
