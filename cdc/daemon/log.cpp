#include "cdc/daemon/log.hpp"

#include <fmt/format.h>
#include <spdlog/logger.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <memory>
#include <nlohmann/json.hpp>

namespace pgcourier::cdc::daemon::log {
namespace {

std::string_view name_of(Level level) {
  switch (level) {
    case Level::debug:
      return "debug";
    case Level::info:
      return "info";
    case Level::warn:
      return "warn";
    case Level::error:
      return "error";
  }
  return "error";
}

spdlog::level::level_enum to_spdlog(Level level) {
  switch (level) {
    case Level::debug:
      return spdlog::level::debug;
    case Level::info:
      return spdlog::level::info;
    case Level::warn:
      return spdlog::level::warn;
    case Level::error:
      return spdlog::level::err;
  }
  return spdlog::level::err;
}

bool is_json(Format format) {
  return format == Format::json || (format == Format::auto_ && isatty(STDERR_FILENO) == 0);
}

// spdlog gives the lock, the level and the writing; the line is ours.
struct Logger {
  Logger() : spd("pgcourier", std::make_shared<spdlog::sinks::stderr_sink_mt>()) {
    spd.set_pattern("%v");
    spd.set_level(spdlog::level::info);
    spd.flush_on(spdlog::level::trace);
    // spdlog's own handler would print something that is not a line of ours.
    spd.set_error_handler([](const std::string&) {});
  }

  spdlog::logger spd;
  std::atomic<bool> json{is_json(Format::auto_)};
};

// Never destroyed: librdkafka's threads may log while the program ends.
Logger& logger() {
  static auto& instance = *new Logger;
  return instance;
}

std::string json_string(std::string_view text) {
  return nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

bool needs_quotes(std::string_view text) {
  return text.empty() || std::any_of(text.begin(), text.end(), [](char c) {
           const auto byte = static_cast<unsigned char>(c);
           return byte <= 0x20 || byte >= 0x7f || c == '"' || c == '=' || c == '\\';
         });
}

// Messages are constants; one that is not must not break the line either.
std::string one_line(std::string_view message) {
  std::string line(message);
  std::replace_if(
      line.begin(), line.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20; }, ' ');
  return line;
}

std::string text_value(const decltype(Field::value)& value) {
  return std::visit(
      [](const auto& v) -> std::string {
        using Value = std::decay_t<decltype(v)>;
        if constexpr (std::is_same_v<Value, std::string_view>) {
          return needs_quotes(v) ? json_string(v) : std::string(v);
        } else {
          return fmt::format("{}", v);
        }
      },
      value);
}

}  // namespace

std::string json_line(WallTime time, Level level, std::string_view message, Fields fields) {
  nlohmann::ordered_json line{
      {"ts", to_iso8601(time)}, {"level", name_of(level)}, {"msg", message}};
  for (const auto& field : fields) {
    std::visit([&](const auto& value) { line[std::string(field.key)] = value; }, field.value);
  }
  return line.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

std::string text_line(WallTime time, Level level, std::string_view message, Fields fields) {
  std::string line =
      fmt::format("{} {:<5} {}", to_iso8601(time), name_of(level), one_line(message));
  for (const auto& field : fields) {
    line += fmt::format(" {}={}", field.key, text_value(field.value));
  }
  return line;
}

void init(Level level, Format format) {
  logger().json = is_json(format);
  set_level(level);
}

void set_level(Level level) { logger().spd.set_level(to_spdlog(level)); }

bool enabled(Level level) { return logger().spd.should_log(to_spdlog(level)); }

void write(Level level, std::string_view message, Fields fields) noexcept {
  try {
    if (!enabled(level)) return;
    const auto now = std::chrono::system_clock::now();
    logger().spd.log(to_spdlog(level), logger().json ? json_line(now, level, message, fields)
                                                     : text_line(now, level, message, fields));
  } catch (...) {
    // Out of memory, most likely: there is nothing better to do than to go on.
  }
}

}  // namespace pgcourier::cdc::daemon::log
