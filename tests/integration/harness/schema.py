"""The workload's tables, and the triggers that write the truth beside every change, in its own transaction.

The truth never passes through a decoder: row triggers append each change to the table `truth`, which is not
published. Its id is drawn while the row is locked, so for one key the ids rise in commit order. Each transaction ends
with truth_finish(), which draws a ticket under a lock that is given back only after the commit record is written: the
tickets are the commit order of all transactions.
"""

PREFIX = "test"  # of the workload's logical messages


class Table:
    def __init__(self, name, key, identity="default", schema="public", big=False):
        self.name = name
        self.schema = schema
        self.key = key  # columns of the event's key, or None
        self.identity = identity
        self.big = big

    @property
    def quoted(self):
        return ".".join('"' + part.replace('"', '""') + '"' for part in (self.schema, self.name))

    @property
    def full_name(self):
        return f"{self.schema}.{self.name}"


ORDERS = Table("orders", ["id"], big=True)
WITH_FULL = Table("with_full", ["id"], "full", big=True)
WITHOUT_KEY = Table("without_key", None, "full")
BY_INDEX = Table("by_index", ["code"], "index")
NOTHING = Table("nothing", ["id"], "nothing")
COMPOSITE = Table("composite", ["a", "b"])
QUOTED = Table('Odd "Name, x', ["Id"], schema="Other Schema")
MANY = [Table(f"many_{number:02}", ["id"]) for number in range(20)]
TABLES = [ORDERS, WITH_FULL, WITHOUT_KEY, BY_INDEX, NOTHING, COMPOSITE, QUOTED, *MANY]
BY_NAME = {table.full_name: table for table in TABLES}

# A table's columns are text, integers and booleans: their text is the same in to_jsonb and in an event. The fidelity
# of other types is end_to_end.py's business.
TRUTH = r"""
CREATE TABLE truth (id bigserial PRIMARY KEY, xid bigint NOT NULL, tab text, op text NOT NULL, old jsonb, new jsonb);
CREATE TABLE truth_commit (xid bigint PRIMARY KEY, ticket bigserial);
CREATE FUNCTION xid() RETURNS bigint LANGUAGE sql AS $$ SELECT pg_current_xact_id()::text::bigint & 4294967295 $$;

-- Every column as text, a long one as its MD5.
CREATE FUNCTION as_text(row_ jsonb) RETURNS jsonb LANGUAGE sql IMMUTABLE AS $$
  SELECT jsonb_object_agg(key, CASE WHEN length(value) > 200 THEN 'md5:' || md5(value) ELSE value END)
  FROM jsonb_each_text(row_) $$;

CREATE FUNCTION truth_row() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO truth (xid, tab, op, old, new) VALUES (xid(), TG_TABLE_SCHEMA || '.' || TG_TABLE_NAME, lower(TG_OP),
    CASE WHEN TG_OP <> 'INSERT' THEN as_text(to_jsonb(OLD)) END,
    CASE WHEN TG_OP <> 'DELETE' THEN as_text(to_jsonb(NEW)) END);
  RETURN NULL;
END $$;

CREATE FUNCTION truth_statement() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO truth (xid, tab, op) VALUES (xid(), TG_TABLE_SCHEMA || '.' || TG_TABLE_NAME, lower(TG_OP));
  RETURN NULL;
END $$;

-- A logical message and its truth. A non-transactional one is in the WAL whatever becomes of its transaction.
CREATE FUNCTION emit(transactional boolean, content text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  PERFORM pg_logical_emit_message(transactional, 'test', content);
  INSERT INTO truth (xid, op, new) VALUES (xid(), CASE WHEN transactional THEN 'message' ELSE 'free message' END,
                                           jsonb_build_object('content', content));
END $$;

-- The last statement of a transaction; the returned LSN is before its commit record.
CREATE FUNCTION truth_finish() RETURNS pg_lsn LANGUAGE plpgsql AS $$
BEGIN
  PERFORM pg_advisory_xact_lock(4711);
  INSERT INTO truth_commit (xid) VALUES (xid());
  RETURN pg_current_wal_insert_lsn();
END $$;
"""


def columns_of(table):
    if table.key == ["a", "b"]:
        return "a int, b text, amount int, PRIMARY KEY (a, b)"
    if table is BY_INDEX:
        return "id int PRIMARY KEY, code text NOT NULL UNIQUE, amount int"
    if table is WITHOUT_KEY:
        return "id int, amount int, note text"
    if table is QUOTED:
        return '"Id" int PRIMARY KEY, amount int, "a ""b""" text DEFAULT \'q"\\,\''
    big = ", body text" if table.big else ""
    return f"id int PRIMARY KEY, amount int, note text, paid boolean{big}"


def schema_of(tables=TABLES, publication="shop", create_publication=True):
    """SQL that makes the tables, the truth and the publication."""
    out = [TRUTH, 'CREATE SCHEMA "Other Schema";']
    for table in tables:
        out.append(f"CREATE TABLE {table.quoted} ({columns_of(table)});")
        if table.big:
            out.append(f"ALTER TABLE {table.quoted} ALTER body SET STORAGE EXTERNAL;")
        if table.identity == "index":
            out.append(f"ALTER TABLE {table.quoted} REPLICA IDENTITY USING INDEX by_index_code_key;")
        elif table.identity != "default":
            out.append(f"ALTER TABLE {table.quoted} REPLICA IDENTITY {table.identity};")
        out.append(f"CREATE TRIGGER truth AFTER INSERT OR UPDATE OR DELETE ON {table.quoted} "
                   f"FOR EACH ROW EXECUTE FUNCTION truth_row();")
        out.append(f"CREATE TRIGGER truth_all AFTER TRUNCATE ON {table.quoted} "
                   f"FOR EACH STATEMENT EXECUTE FUNCTION truth_statement();")
    if create_publication:
        out.append(f"CREATE PUBLICATION {publication} FOR TABLE {', '.join(table.quoted for table in tables)};")
    out.append('GRANT USAGE ON SCHEMA "Other Schema" TO cdc;')
    return "\n".join(out)
