-- What a Supabase project has before its first migration, as far as migrations and row-level security use it.
create role anon nologin noinherit;
create role authenticated nologin noinherit;
create role service_role nologin noinherit bypassrls;

create schema auth;
grant usage on schema auth, public to anon, authenticated, service_role;

create function auth.jwt() returns jsonb language sql stable as
$$ select coalesce(nullif(current_setting('request.jwt.claims', true), ''), '{}')::jsonb $$;

create function auth.uid() returns uuid language sql stable as
$$ select nullif(auth.jwt() ->> 'sub', '')::uuid $$;

create function auth.role() returns text language sql stable as
$$ select nullif(auth.jwt() ->> 'role', '') $$;

create schema supabase_migrations;
create table supabase_migrations.schema_migrations (version text primary key, name text);
