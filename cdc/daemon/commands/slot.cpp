// pgcourier slot list|create|drop
#include <CLI/CLI.hpp>
#include <iomanip>
#include <iostream>
#include <memory>

#include "cdc/daemon/blocking.hpp"
#include "cdc/daemon/checks/slot_checks.hpp"
#include "cdc/daemon/commands/command_line.hpp"
#include "cdc/daemon/commands/commands.hpp"
#include "cdc/daemon/log.hpp"
#include "cdc/daemon/retry_policy.hpp"
#include "cdc/daemon/session_start.hpp"
#include "cdc/daemon/stop_error.hpp"
#include "config/load_settings.hpp"
#include "protocol/server_error.hpp"
#include "replication/catalog.hpp"
#include "replication/replication_commands.hpp"
#include "replication/session_settings.hpp"

namespace pgcourier::cdc::daemon {

namespace {

struct Flags {
  std::filesystem::path file;
  std::vector<std::string> set;
  std::string accept_gap;
  std::string accept_identity;
  Acceptance acceptance;  // both, read
};

// What a slot command works with, alive while its coroutine runs.
struct Work {
  config::Settings settings;
  asio::io_context io{1};
  asio::thread_pool workers{1};
  PipelineStatus status;
  RunOptions options;
  RunMemory memory;

  explicit Work(config::Settings loaded) : settings(std::move(loaded)), status(settings) {}
};

asio::awaitable<void> list_slots(Work& work) {
  SqlSession session(work.io, connection_target(work.settings));
  const auto sql = co_await session.lease();
  std::cout << std::left << std::setw(32) << "SLOT" << std::setw(12) << "PLUGIN" << std::setw(20)
            << "DATABASE" << std::setw(8) << "ACTIVE" << std::setw(18) << "CONFIRMED"
            << std::setw(18) << "RESTART"
            << "WAL\n";
  for (const auto& slot : co_await replication::list_slots(*sql)) {
    const auto lsn = [](const auto& position) {
      return position ? protocol::to_string(*position) : std::string("-");
    };
    std::cout << std::setw(32) << slot.slot << std::setw(12) << slot.plugin << std::setw(20)
              << slot.database << std::setw(8) << (slot.active ? "yes" : "no") << std::setw(18)
              << lsn(slot.confirmed_flush_lsn) << std::setw(18) << lsn(slot.restart_lsn)
              << slot.wal_status << '\n';
  }
}

// A session's start without its stream: the same checks, locks and bookmarks (delivery.md 9).
asio::awaitable<void> create_slot(Work& work) {
  {
    SqlSession session(work.io, connection_target(work.settings));
    const auto sql = co_await session.lease();
    const auto slot = co_await replication::find_slot(*sql, work.settings.source.slot);
    if (slot && slot->wal_status != "lost" && slot->invalidation_reason.empty()) {
      throw StopError(exit_settings,
                      "the replication slot " + work.settings.source.slot + " exists already");
    }
  }
  work.settings.source.create_slot = true;
  const SessionContext context{work.io,      work.workers, work.settings,
                               work.options, work.status,  work.memory};
  StartedSession started;
  std::exception_ptr failure;
  try {
    SessionStart start(context, started);
    co_await start.run();
    for (const auto& sink : started.sinks) {
      auto* target = sink.get();
      co_await on_worker(work.workers, [target] { target->close(); });
    }
    std::cout << "slot " << work.settings.source.slot << " created at "
              << protocol::to_string(started.server.confirmed_flush) << '\n';
  } catch (...) {
    failure = std::current_exception();
  }
  co_await discard(work.workers, std::move(started));
  if (failure) std::rethrow_exception(failure);
}

asio::awaitable<void> drop_slot(Work& work) {
  const auto target = connection_target(work.settings);
  replication::Connection stream(work.io, work.settings.limits.message_bytes);
  co_await stream.open(target, replication::Purpose::replication, replication::session_settings());
  try {
    co_await replication::drop_replication_slot(stream, work.settings.source.slot, false);
  } catch (const protocol::ServerError& error) {
    if (error.sqlstate() != object_in_use) throw;
    throw StopError(exit_slot_in_use, std::string(error.what()) + "; stop who uses it first");
  }
  co_await stream.terminate();
  std::cout << "slot " << work.settings.source.slot
            << " dropped; what it held back and was not delivered is gone\n";
}

int run_slot_command(const Flags& flags, asio::awaitable<void> (*command)(Work&)) {
  return report_failures([&]() -> int {
    auto loaded = config::load_settings(flags.file, config::process_overrides(flags.set));
    log::init(loaded.settings.log.level, loaded.settings.log.format);
    Work work(std::move(loaded.settings));
    work.options.no_wait = true;
    work.options.acceptance = flags.acceptance;
    std::exception_ptr failure;
    asio::co_spawn(work.io, command(work),
                   [&failure](std::exception_ptr error) { failure = error; });
    work.io.run();
    work.workers.join();
    if (failure) std::rethrow_exception(failure);
    return exit_done;
  });
}

}  // namespace

void add_slot(CLI::App& app, Action& action) {
  auto flags = std::make_shared<Flags>();
  auto* slot = app.add_subcommand("slot", "The replication slots of the server");
  slot->require_subcommand(1);
  const auto add = [&](const char* name, const char* description,
                       asio::awaitable<void> (*command)(Work&)) {
    auto* added = slot->add_subcommand(name, description);
    add_settings_options(*added, flags->file, flags->set);
    added->callback([flags, &action, command] {
      flags->acceptance.gap = read_lsn(flags->accept_gap, "--accept-gap");
      if (!flags->accept_identity.empty()) flags->acceptance.identity = flags->accept_identity;
      action = [flags, command] { return run_slot_command(*flags, command); };
    });
    return added;
  };
  add("list", "All slots, ours and others'", list_slots);
  auto* create = add("create", "Make the slot of the settings", create_slot);
  create->add_option("--accept-gap", flags->accept_gap,
                     "Although changes are lost: the LSN that the exit 66 told");
  create->add_option(
      "--accept-identity", flags->accept_identity,
      "On another server than the sinks were fed from: the ID that the exit 66 told");
  add("drop", "Drop the slot of the settings", drop_slot);
}

}  // namespace pgcourier::cdc::daemon
