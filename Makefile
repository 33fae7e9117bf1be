# bitvelocity: PGXS build and the user's targets. See README.md.
#
#   make, make install, make installcheck   as for every extension (PG_CONFIG= is respected)
#   make quickstart [KAFKA=1], make stop    the tour on a private server
#   make check                              every test
#   make bench-stream, ...                  figures

EXTENSION = bitvelocity
VERSION := $(shell sed -n "s/^default_version *= *'\(.*\)'/\1/p" bitvelocity.control)

PG_CONFIG ?= pg_config
BUILD := build
ASSEMBLED := $(BUILD)/bitvelocity--$(VERSION).sql

# Zones P and G make bitvelocity.so; the transports and the registry's client are shared objects of their own (zone T).
CORE_SOURCES := $(wildcard src/core/*.cpp)
KAFKA_SOURCES := $(wildcard src/sink/kafka/*.cpp)
REGISTRY_SOURCES := $(wildcard src/sink/curl/*.cpp)
SOURCES := $(filter-out $(KAFKA_SOURCES) $(REGISTRY_SOURCES),$(shell find src -name '*.cpp' | sort))

MODULE_big = bitvelocity
OBJS = $(SOURCES:%.cpp=$(BUILD)/obj/%.o)
KAFKA_OBJS = $(sort $(KAFKA_SOURCES:%.cpp=$(BUILD)/kafka/%.o) $(CORE_SOURCES:%.cpp=$(BUILD)/kafka/%.o))
REGISTRY_OBJS = $(sort $(REGISTRY_SOURCES:%.cpp=$(BUILD)/registry/%.o) $(CORE_SOURCES:%.cpp=$(BUILD)/registry/%.o))
DATA_built = $(ASSEMBLED)
DATA = $(wildcard sql/upgrade/*.sql)

override with_llvm = no
REGRESS ?= $(basename $(notdir $(sort $(wildcard test/sql/*.sql))))
REGRESS_OPTS = --inputdir=test --load-extension=bitvelocity --dbname=contrib_regression_bitvelocity

# PGXS is read only for its own goals: it has a `check` of its own, and the others need no pg_config.
SCRIPT_GOALS := quickstart stop deps check check-% bench-% reference docker
BUILD_GOALS := $(if $(MAKECMDGOALS),$(filter-out $(SCRIPT_GOALS),$(MAKECMDGOALS)),all)
ifneq (,$(BUILD_GOALS))
ifneq (,$(shell command -v $(PG_CONFIG) 2>/dev/null))
PGXS := $(shell $(PG_CONFIG) --pgxs)
SHLIB_LINK = -lstdc++ -lm -Wl,--exclude-libs,ALL -Wl,--version-script=src/exports.map
EXTRA_CLEAN = $(BUILD) bitvelocity_kafka.so bitvelocity_registry.so
include $(PGXS)

CXX_STANDARD = -std=c++20
WARNINGS = -Wall -Wextra -Werror
BV_CXXFLAGS = $(CXX_STANDARD) -O2 -g $(WARNINGS) -fPIC -fvisibility=hidden \
	-fvisibility-inlines-hidden -fno-strict-aliasing -MMD -MP -Isrc

$(BUILD)/obj/%.o: %.cpp
	@mkdir -p $(@D)
	$(CXX) $(BV_CXXFLAGS) -I$(shell $(PG_CONFIG) --includedir-server) -D_GNU_SOURCE -c -o $@ $<

$(BUILD)/kafka/%.o: %.cpp
	@mkdir -p $(@D)
	$(CXX) $(BV_CXXFLAGS) -c -o $@ $<

bitvelocity_kafka.so: $(KAFKA_OBJS) src/exports_kafka.map
	$(CXX) -shared -o $@ $(KAFKA_OBJS) -lrdkafka -Wl,--exclude-libs,ALL \
		-Wl,--version-script=src/exports_kafka.map -Wl,--no-undefined

$(BUILD)/registry/%.o: %.cpp
	@mkdir -p $(@D)
	$(CXX) $(BV_CXXFLAGS) -c -o $@ $<

bitvelocity_registry.so: $(REGISTRY_OBJS) src/exports_registry.map
	$(CXX) -shared -o $@ $(REGISTRY_OBJS) -lcurl -Wl,--exclude-libs,ALL \
		-Wl,--version-script=src/exports_registry.map -Wl,--no-undefined

all: bitvelocity_kafka.so bitvelocity_registry.so

$(ASSEMBLED): sql/manifest bitvelocity.control $(wildcard sql/schema/*.sql sql/api/*.sql) sql/assemble
	@mkdir -p $(@D)
	sh sql/assemble > $@.new && mv $@.new $@

install: install-transports
install-transports: bitvelocity_kafka.so bitvelocity_registry.so
	$(INSTALL_SHLIB) $^ '$(DESTDIR)$(pkglibdir)/'
uninstall: uninstall-transports
uninstall-transports:
	rm -f $(foreach library,kafka registry,'$(DESTDIR)$(pkglibdir)/bitvelocity_$(library).so')
.PHONY: install-transports uninstall-transports

-include $(OBJS:.o=.d) $(KAFKA_OBJS:.o=.d) $(REGISTRY_OBJS:.o=.d)
endif
endif

# The user's targets (their recipes are scripts, so that they work before anything is installed).
include test/targets.mk
