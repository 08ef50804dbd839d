#!/bin/sh
# Run once by the database's image, on an empty volume: four roles without powers, and the database they share.
# The owner runs migrations, the application is kept to one tenant by row-level security, claims sees ids and times only,
# ledger appends to the ledger and reads nothing else.
set -eu

psql --set ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname postgres \
  --set owner="$AUDITOR_OWNER_PASSWORD" --set app="$AUDITOR_APP_PASSWORD" --set claims="$AUDITOR_CLAIMS_PASSWORD" \
  --set ledger="$AUDITOR_LEDGER_PASSWORD" <<'SQL'
CREATE ROLE auditor_owner LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOINHERIT NOBYPASSRLS PASSWORD :'owner';
CREATE ROLE auditor_app LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOINHERIT NOBYPASSRLS PASSWORD :'app';
CREATE ROLE auditor_claims LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOINHERIT NOBYPASSRLS PASSWORD :'claims';
CREATE ROLE auditor_ledger LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOINHERIT NOBYPASSRLS PASSWORD :'ledger';
CREATE DATABASE auditor OWNER auditor_owner TEMPLATE template0 ENCODING 'UTF8';
REVOKE ALL ON DATABASE auditor FROM PUBLIC;
GRANT CONNECT ON DATABASE auditor TO auditor_app, auditor_claims, auditor_ledger;
SQL
