/*
 * An OAuth validator for PostgreSQL 18: the token "let-in.ROLE" is ROLE's. Built by run.py with no
 * more than a C compiler, so what the server's headers would declare stands here.
 */
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* fmgr.h */
typedef struct {
  int version, function_arguments, index_keys, name_bytes, float8_by_value;
  char extra[32];
} AbiValues;
typedef struct {
  int size;
  AbiValues abi;
  const char *name, *version;
} Magic;

/* libpq/oauth.h */
typedef struct {
  int server_version;
  void *data;
} State;
typedef struct {
  bool authorized;
  char *user;
} Result;
typedef struct {
  uint32_t magic;
  void (*startup)(State *);
  void (*shutdown)(State *);
  bool (*validate)(const State *, const char *token, const char *role, Result *);
} Callbacks;

extern char *pstrdup(const char *text);

const Magic *Pg_magic_func(void) {
  static const Magic magic = {sizeof(Magic), {1800, 100, 32, 64, 1, "PostgreSQL"}, 0, 0};
  return &magic;
}

static bool validate(const State *state, const char *token, const char *role, Result *result) {
  static const char prefix[] = "let-in.";
  (void)state;
  (void)role;
  result->authorized = strncmp(token, prefix, sizeof(prefix) - 1) == 0;
  if (result->authorized) result->user = pstrdup(token + sizeof(prefix) - 1);
  return true;
}

const Callbacks *_PG_oauth_validator_module_init(void) {
  static const Callbacks callbacks = {0x20250220, 0, 0, validate};
  return &callbacks;
}
