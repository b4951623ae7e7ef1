#include "protocol/query_dialogue.hpp"

#include <algorithm>
#include <stdexcept>
#include <string>
#include <utility>

namespace pgcourier::protocol {
namespace {

void expect_empty(const FramedMessage& message) {
  read_empty_message(message.body, describe_backend_message(message.type));
}

bool brings_ready(Request request) {
  return request == Request::sync || request == Request::query || request == Request::function_call;
}

}  // namespace

bool is_fatal(const ServerFields& error) {
  const std::string& severity =
      error.severity_unlocalized.empty() ? error.severity : error.severity_unlocalized;
  return severity == "FATAL" || severity == "PANIC";
}

void QueryDialogue::asked(std::span<const Request> requests) {
  if (phase_ == Phase::copy_both || owes_copy_end()) {
    throw std::logic_error("a request before the end of the copy");
  }
  for (const Request request : requests) {
    if (skipping_ && request != Request::sync) continue;  // as the server does
    skipping_ = false;
    needs_sync_ = !brings_ready(request);
    pending_.push_back(request);
  }
}

bool QueryDialogue::takes_copy_data() const {
  return (phase_ == Phase::copy_in || phase_ == Phase::copy_both) && !copy_end_sent_;
}

bool QueryDialogue::owes_copy_end() const {
  return (phase_ == Phase::copy_in || phase_ == Phase::copy_both ||
          phase_ == Phase::after_copy_both) &&
         !copy_end_sent_;
}

void QueryDialogue::answered() {
  pending_.pop_front();
  phase_ = Phase::start;
}

Reply QueryDialogue::on_message(const FramedMessage& message) {
  const auto simple = [&](Request request) {
    if (!awaits(request)) refuse(message);
    expect_empty(message);
    answered();
  };
  switch (message.type) {
    case '1':
      simple(Request::parse);
      return ParseComplete{};
    case '2':
      simple(Request::bind);
      return BindComplete{};
    case '3':
      simple(Request::close);
      return CloseComplete{};
    case 's':
      if (phase_ != Phase::start) refuse(message);
      simple(Request::execute);
      return PortalSuspended{};
    case 't':
    case 'T':
    case 'n':
      return on_description(message);
    case 'D':
      if (!(awaits(Request::execute) && phase_ == Phase::start) && !awaits_query(Phase::rows)) {
        refuse(message);
      }
      read_data_row(message.body, values_);
      return DataRow{.values = values_};
    case 'C':
    case 'I':
      return on_completion(message);
    case 'G':
    case 'H':
    case 'W':
      return on_copy_start(message);
    case 'd':
      if (phase_ != Phase::copy_out && phase_ != Phase::copy_both &&
          phase_ != Phase::after_copy_both) {
        refuse(message);
      }
      return CopyData{.data = message.body};
    case 'c':
      if (phase_ != Phase::copy_out && phase_ != Phase::copy_both) refuse(message);
      expect_empty(message);
      phase_ = phase_ == Phase::copy_out ? Phase::copied_out : Phase::after_copy_both;
      return CopyDone{};
    case 'V':
      if (!awaits(Request::function_call) || phase_ != Phase::start) refuse(message);
      phase_ = Phase::answered;
      return read_function_call_response(message.body);
    case 'E':
      return on_error(message);
    case 'Z':
      return on_ready(message);
    default:
      refuse(message);
  }
}

Reply QueryDialogue::on_description(const FramedMessage& message) {
  if (message.type == 't') {
    if (!awaits(Request::describe_statement) || phase_ != Phase::start) refuse(message);
    phase_ = Phase::described;
    return read_parameter_description(message.body);
  }
  const bool described = awaits(Request::describe_portal) ||
                         (awaits(Request::describe_statement) && phase_ == Phase::described);
  if (message.type == 'n') {
    if (!described) refuse(message);
    expect_empty(message);
    answered();
    return NoData{};
  }
  RowDescription reply = read_row_description(message.body);
  if (described) {
    answered();
  } else if (awaits_query(Phase::start) || awaits_query(Phase::copied_out) ||
             awaits_query(Phase::after_copy_both)) {
    phase_ = Phase::rows;
  } else {
    refuse(message);
  }
  return reply;
}

Reply QueryDialogue::on_completion(const FramedMessage& message) {
  if (message.type == 'I' && phase_ != Phase::start) refuse(message);
  switch (phase_) {
    case Phase::start:
    case Phase::rows:
    case Phase::copied_out:
      break;
    case Phase::copy_in:
      if (!copy_end_sent_) refuse(message);
      break;
    case Phase::copy_both:
      // A server that shuts down sends no CopyDone before it, and closes.
      static_cast<void>(read_command_complete(message.body));
      phase_ = Phase::after_copy_both;
      copy_both_completed_ = true;
      return CopyDone{};
    case Phase::after_copy_both:
      copy_both_completed_ = true;
      return CommandComplete{.tag = read_command_complete(message.body)};
    default:
      refuse(message);
  }
  if (awaits(Request::execute)) {
    answered();
  } else if (awaits(Request::query)) {
    phase_ = Phase::start;
  } else {
    refuse(message);
  }
  if (message.type == 'C') return CommandComplete{.tag = read_command_complete(message.body)};
  expect_empty(message);
  return EmptyQueryResponse{};
}

Reply QueryDialogue::on_copy_start(const FramedMessage& message) {
  const bool query =
      awaits_query(Phase::start) || (message.type == 'H' && awaits_query(Phase::copied_out));
  const bool execute = awaits(Request::execute) && phase_ == Phase::start;
  if (!query && !execute) refuse(message);
  CopyResponse response = read_copy_response(message.body);
  copy_end_sent_ = copy_both_completed_ = false;
  if (message.type == 'H') {
    phase_ = Phase::copy_out;
    return CopyOutResponse{std::move(response)};
  }
  // The server takes what follows for copy data, and answers neither it nor a Sync in it.
  if (pending_.size() > 1) {
    throw ProtocolError(describe_backend_message(message.type),
                        "a copy to the server must be the last request before its answer");
  }
  if (message.type == 'G') {
    phase_ = Phase::copy_in;
    return CopyInResponse{std::move(response)};
  }
  if (!query) refuse(message);
  phase_ = Phase::copy_both;
  return CopyBothResponse{std::move(response)};
}

Reply QueryDialogue::on_error(const FramedMessage& message) {
  ErrorResponse reply{.fields = read_server_fields(message.body)};
  if (is_fatal(reply.fields)) {  // at any time, and nothing follows
    pending_.clear();
    needs_sync_ = skipping_ = false;
    phase_ = Phase::start;
    return reply;
  }
  if (pending_.empty()) refuse(message);
  copy_end_sent_ = true;  // none is due after an error
  if (brings_ready(pending_.front())) {
    phase_ = Phase::failed;
    return reply;
  }
  const auto sync = std::find(pending_.begin(), pending_.end(), Request::sync);
  skipping_ = sync == pending_.end();
  needs_sync_ = needs_sync_ || skipping_;  // a Query behind it would have brought ReadyForQuery
  pending_.erase(pending_.begin(), sync);
  phase_ = Phase::start;
  return reply;
}

Reply QueryDialogue::on_ready(const FramedMessage& message) {
  bool due = phase_ == Phase::failed;
  if (awaits(Request::query)) {
    due =
        due || phase_ == Phase::start || (phase_ == Phase::after_copy_both && copy_both_completed_);
  } else if (awaits(Request::sync)) {
    due = due || phase_ == Phase::start;
  } else {
    due = due || phase_ == Phase::answered;
  }
  if (!due) refuse(message);
  const ReadyForQuery reply = read_ready_for_query(message.body);
  status_ = reply.status;
  answered();
  return reply;
}

void QueryDialogue::refuse(const FramedMessage& message) const {
  throw ProtocolError(describe_backend_message(message.type),
                      pending_.empty() ? "nothing was asked" : "not an answer to what was asked");
}

}  // namespace pgcourier::protocol
