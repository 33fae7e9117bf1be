// The composition root: the magic block and _PG_init. Nothing else lives here.

#include "pg/boundary.hpp"
#include "pg/postgres.hpp"

extern "C" {
PG_MODULE_MAGIC;
BV_EXPORT void _PG_init(void);
}

void _PG_init(void) {}
