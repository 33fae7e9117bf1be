# The user's targets. Their recipes are scripts, so that they work before pg_config, a compiler or any
# package is there; what needs packages calls test/check/deps first, which is a quick no-op later.

export PG_CONFIG ROUNDS SEED FIRST FAULTS WITHOUT SINKS

ifneq (,$(BUILD_GOALS))
ifeq (,$(PGXS))
$(BUILD_GOALS):
	@echo "$(PG_CONFIG) not found: 'make deps' installs what is needed (Debian)" >&2; exit 1
endif
endif

deps:
	@test/check/deps

# The tour on a private server: README.md. KAFKA=1 starts a real broker beside it.
quickstart:
	@examples/retail/quickstart.sh start

stop:
	@examples/retail/quickstart.sh stop

# The data of the tour's server is below build/, which `clean` removes.
clean: stop

# Every test; or one part: layers format house build symbols sql regress installcheck pgtap isolation
# unit t broker tour headers tidy. What is counted: test/check/run.
ifeq (,$(PGXS))
check:
	@test/check/deps
	@test/check/run all
endif

CHECK_PARTS = layers format house build symbols sql regress installcheck pgtap isolation unit t broker \
	tour headers tidy
$(CHECK_PARTS:%=check-%): check-%:
	@test/check/deps
	@test/check/run $*

# The checkout on PostgreSQL 17, in a Debian 13 of its own below build/; as root. PARTS= of check.
check-17:
	@test/check/on-17

# Debezium and a stream on the same changes, not part of `check`: test/debezium/README.md. SETS= some only.
check-debezium:
	@test/check/deps
	@test/debezium/check $(SETS)

# Figures: bench/README.md. RUNS= measured runs (5), ROWS= rows of a backlog (500000).
bench-stream bench-outage bench-audit bench-large:
	@test/check/deps
	@bench/$(@:bench-%=%).sh

# Rounds of writers, faults and verdicts: test/README.md. ROUNDS=, SEED=, FIRST=, FAULTS=, WITHOUT=, SINKS=bronze.
check-faults:
	@test/check/deps
	@test/faults/run.sh

bench-stream-peer:
	@test/check/deps
	@bench/peer.sh

# Writes docs/sql.md anew, from a private server.
reference:
	@test/check/deps build
	@docs/reference.sh write

docker:
	@docker/build.sh

.PHONY: deps reference quickstart stop check check-faults check-debezium $(CHECK_PARTS:%=check-%) bench-stream bench-outage \
	bench-audit bench-large bench-stream-peer docker
