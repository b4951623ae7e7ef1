#include "cdc/daemon/retry_policy.hpp"

#include <algorithm>
#include <array>
#include <new>
#include <string_view>

#include "cdc/daemon/stop_error.hpp"
#include "cdc/session_limits.hpp"
#include "cdc/sink.hpp"
#include "cdc/spill_store.hpp"
#include "cdc/table_filter.hpp"
#include "config/settings.hpp"
#include "protocol/protocol_error.hpp"
#include "protocol/server_error.hpp"
#include "protocol/startup_handshake.hpp"
#include "replication/connection.hpp"

namespace pgcourier::cdc::daemon {

using namespace std::chrono_literals;
using namespace std::string_view_literals;

namespace {

// The server's errors that need a person, by SQLSTATE or its class. What time may heal, and what we
// have never seen, is tried again with a growing delay: nothing is confirmed meanwhile, and the log
// and /readyz say why it is quiet.
struct Verdict {
  std::string_view sqlstate;  // five characters, or two for a class
  int exit_code;
  std::string_view remedy;
};
constexpr std::array verdicts{
    Verdict{"28"sv, exit_not_permitted, "check user, password and pg_hba.conf"},
    Verdict{"42501"sv, exit_not_permitted,
            "the role needs REPLICATION, and SELECT on what it publishes"},
    Verdict{"3D000"sv, exit_settings, "check the database in source.url"},
    Verdict{"42704"sv, exit_settings, "check source.publication and source.slot"},
    Verdict{"53400"sv, exit_settings, "raise max_replication_slots, or drop a slot nobody needs"},
    Verdict{"58P01"sv, exit_slot, "the WAL the slot needs is gone"},
    Verdict{"22023"sv, exit_settings, "the server refuses an option of ours"},
    Verdict{"0A000"sv, exit_settings, "the server can't do what the settings ask for"},
    Verdict{"42601"sv, exit_settings,
            "the server does not know this command; does a pooler stand before it? Name the server"
            " itself in source.url"},
    Verdict{"42602"sv, exit_settings, "check the names in the settings"},
};

// Names of settings stand untranslated in the message, whatever its language.
bool blames_setting(std::string_view message) {
  return message.find("wal_level"sv) != std::string_view::npos ||
         message.find("max_replication_slots"sv) != std::string_view::npos;
}

// PgBouncer, whose words are not translated. Not only `replication` is unknown to it: so may be the
// settings that the form of values depends on.
bool is_from_pooler(const protocol::ServerError& error) {
  return error.sqlstate() == "08P01"sv &&
         error.fields().message.find("unsupported startup parameter"sv) != std::string::npos;
}

NextStep judge(const protocol::ServerError& error, bool bookmark_exists) {
  NextStep step{.retry = true,
                .exit_code = exit_unreachable,
                .kind = "server",
                .sqlstate = std::string(error.sqlstate()),
                .what = error.what()};
  const auto found = std::find_if(verdicts.begin(), verdicts.end(), [&](const Verdict& verdict) {
    return error.sqlstate().substr(0, verdict.sqlstate.size()) == verdict.sqlstate;
  });
  if (found != verdicts.end()) {
    step.retry = false;
    step.exit_code = found->exit_code;
    step.what += " (" + std::string(found->remedy) + ")";
    if (found->sqlstate == "42704"sv && bookmark_exists) step.exit_code = exit_slot;
  } else if (is_from_pooler(error)) {
    step.retry = false;
    step.exit_code = exit_settings;
    step.what += " (a pooler, which replication can't pass: name the server itself in source.url)";
  } else if (error.sqlstate() == "55000"sv) {
    // Out of order for one of two reasons: the slot can't be read any more, or a setting.
    step.retry = false;
    step.exit_code =
        blames_setting(error.fields().message) && !bookmark_exists ? exit_settings : exit_slot;
  }
  return step;
}

NextStep judge(const SinkError& error) {
  NextStep step{.retry = false, .exit_code = exit_internal, .kind = "sink", .what = error.what()};
  switch (error.failure()) {
    case SinkFailure::once_more:
      step.at_once = true;
      [[fallthrough]];
    case SinkFailure::fenced:  // somebody has taken over: back to waiting for the slot
    case SinkFailure::unavailable:
      step.retry = true;
      step.exit_code = exit_unreachable;
      break;
    case SinkFailure::undeliverable:
      step.exit_code = exit_undeliverable;
      break;
    case SinkFailure::not_permitted:
      step.exit_code = exit_not_permitted;
      break;
    case SinkFailure::settings:
      step.exit_code = exit_settings;
      break;
    case SinkFailure::bookmark:
      step.exit_code = exit_slot;
      break;
    case SinkFailure::closed:
      step.exit_code = exit_done;
      break;
    case SinkFailure::internal:
      break;
  }
  return step;
}

NextStep stop(int exit_code, const char* kind, const char* what) {
  return {.retry = false, .exit_code = exit_code, .kind = kind, .what = what};
}

}  // namespace

NextStep next_step(std::exception_ptr error, bool bookmark_exists) {
  try {
    std::rethrow_exception(error);
  } catch (const protocol::ServerError& server) {
    return judge(server, bookmark_exists);
  } catch (const SinkError& sink) {
    return judge(sink);
  } catch (const replication::ConnectionError& lost) {
    return {.retry = true, .exit_code = exit_unreachable, .kind = "network", .what = lost.what()};
  } catch (const protocol::OAuthTokenRefused& refused) {
    return {
        .retry = true, .exit_code = exit_not_permitted, .kind = "server", .what = refused.what()};
  } catch (const TooManyTables& enough) {
    return {.retry = true, .exit_code = exit_internal, .kind = "memory", .what = enough.what()};
  } catch (const SpillError& lost) {
    return {.retry = true, .exit_code = exit_internal, .kind = "spill", .what = lost.what()};
  } catch (const protocol::AuthenticationError& refused) {
    return stop(exit_not_permitted, "server", refused.what());
  } catch (const protocol::ProtocolError& nonsense) {
    return stop(exit_protocol, "protocol", nonsense.what());
  } catch (const config::SettingsError& settings) {
    return stop(exit_settings, "settings", settings.what());
  } catch (const FilterError& filter) {
    return stop(exit_settings, "settings", filter.what());
  } catch (const StopError& refusal) {
    const bool of_slot = refusal.exit_code() == exit_slot;
    return stop(refusal.exit_code(), of_slot ? "slot" : "settings", refusal.what());
  } catch (const std::bad_alloc&) {
    return stop(exit_internal, "internal", "out of memory");
  } catch (const std::exception& other) {
    return stop(exit_internal, "internal", other.what());
  } catch (...) {
    return stop(exit_internal, "internal", "an error of an unknown kind");
  }
}

std::chrono::milliseconds retry_delay(unsigned attempt) {
  return std::min<std::chrono::milliseconds>(500ms * (1u << std::min(attempt, 6u)), 30s);
}

}  // namespace pgcourier::cdc::daemon
