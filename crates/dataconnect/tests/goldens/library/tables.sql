CREATE TYPE "shelf" AS ENUM ('LOW', 'HIGH');
CREATE TABLE "book" (
  "id" uuid NOT NULL DEFAULT gen_random_uuid(),
  "sequel_to_id" uuid,
  "pages" int4,
  "shelf" "shelf",
  "tags" text[],
  "title" text NOT NULL,
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
  CONSTRAINT "reader_pkey" PRIMARY KEY ("uid")
);
CREATE INDEX IF NOT EXISTS "book_pages_idx" ON "book" ("pages");
ALTER TABLE "book" ADD CONSTRAINT "book_sequel_to_id_fkey" FOREIGN KEY ("sequel_to_id") REFERENCES "book" ("id") ON DELETE SET NULL;
CREATE INDEX IF NOT EXISTS "book_sequelToId_idx" ON "book" ("sequel_to_id");
CREATE UNIQUE INDEX IF NOT EXISTS "cover_bookId_uidx" ON "cover" ("book_id");
ALTER TABLE "cover" ADD CONSTRAINT "cover_book_id_fkey" FOREIGN KEY ("book_id") REFERENCES "book" ("id") ON DELETE CASCADE;
CREATE INDEX IF NOT EXISTS "cover_bookId_idx" ON "cover" ("book_id");
ALTER TABLE "loan" ADD CONSTRAINT "loan_book_id_fkey" FOREIGN KEY ("book_id") REFERENCES "book" ("id") ON DELETE CASCADE;
CREATE INDEX IF NOT EXISTS "loan_bookId_idx" ON "loan" ("book_id");
ALTER TABLE "loan" ADD CONSTRAINT "loan_reader_uid_fkey" FOREIGN KEY ("reader_uid") REFERENCES "reader" ("uid") ON DELETE CASCADE;
CREATE INDEX IF NOT EXISTS "loan_readerUid_idx" ON "loan" ("reader_uid");
CREATE VIEW "open" AS SELECT book_id, count(*) AS loans FROM loan GROUP BY book_id;
