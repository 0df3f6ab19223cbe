#!/usr/bin/env bash
# Runs once, on an empty PostgreSQL, as its superuser: the four roles and the database.
# voucher_owner owns the database and runs the migrations; voucher_app is the service, voucher_sealer the sealer,
# voucher_auditor reads and writes nothing, and these three own nothing. None may pass row-level security.
# The same as app/embedded/databases.py does for the embedded PostgreSQL.
set -euo pipefail

psql --no-psqlrc --set=ON_ERROR_STOP=1 --username="${POSTGRES_USER:-postgres}" --dbname=postgres <<'SQL'
\getenv owner_password VOUCHER_OWNER_PASSWORD
\getenv app_password VOUCHER_APP_PASSWORD
\getenv sealer_password VOUCHER_SEALER_PASSWORD
\getenv auditor_password VOUCHER_AUDITOR_PASSWORD
CREATE ROLE voucher_owner LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOBYPASSRLS PASSWORD :'owner_password';
CREATE ROLE voucher_app LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOBYPASSRLS PASSWORD :'app_password';
CREATE ROLE voucher_sealer LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOBYPASSRLS PASSWORD :'sealer_password';
CREATE ROLE voucher_auditor LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOBYPASSRLS PASSWORD :'auditor_password';
CREATE DATABASE voucher OWNER voucher_owner TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C';
REVOKE ALL ON DATABASE voucher FROM PUBLIC;
GRANT CONNECT ON DATABASE voucher TO voucher_app, voucher_sealer, voucher_auditor;
REVOKE ALL ON DATABASE postgres, template1 FROM PUBLIC;
SQL
