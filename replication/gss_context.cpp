#include "replication/gss_context.hpp"

#include <utility>

namespace pgcourier::replication {
namespace {

void append_status(std::string& text, OM_uint32 code, int kind) {
  OM_uint32 more = 0;
  do {
    OM_uint32 minor = 0;
    GssBuffer reason;
    if (GSS_ERROR(gss_display_status(&minor, code, kind, GSS_C_NO_OID, &more, reason.get()))) {
      return;
    }
    if (!text.empty()) text += ": ";
    text += reason.view();
  } while (more != 0);
}

[[noreturn]] void fail(const std::string& what, OM_uint32 major, OM_uint32 minor) {
  std::string reasons;
  append_status(reasons, major, GSS_C_GSS_CODE);
  if (minor != 0) append_status(reasons, minor, GSS_C_MECH_CODE);
  throw GssError(what + ": " + reasons);
}

gss_buffer_desc borrowed(std::string_view bytes) {
  gss_buffer_desc buffer = {};
  buffer.length = bytes.size();
  buffer.value = const_cast<char*>(bytes.data());  // the library only reads it
  return buffer;
}

}  // namespace

GssBuffer::GssBuffer(GssBuffer&& other) noexcept : buffer_(std::exchange(other.buffer_, {})) {}

GssBuffer& GssBuffer::operator=(GssBuffer&& other) noexcept {
  std::swap(buffer_, other.buffer_);
  return *this;
}

void GssBuffer::release() {
  OM_uint32 minor = 0;
  gss_release_buffer(&minor, &buffer_);
}

GssContext::~GssContext() {
  OM_uint32 minor = 0;
  if (context_ != GSS_C_NO_CONTEXT) gss_delete_sec_context(&minor, &context_, GSS_C_NO_BUFFER);
  if (name_ != GSS_C_NO_NAME) gss_release_name(&minor, &name_);
  if (credential_ != GSS_C_NO_CREDENTIAL) gss_release_cred(&minor, &credential_);
}

void GssContext::acquire_credential() {
  OM_uint32 minor = 0;
  const OM_uint32 major =
      gss_acquire_cred(&minor, GSS_C_NO_NAME, GSS_C_INDEFINITE, GSS_C_NO_OID_SET, GSS_C_INITIATE,
                       &credential_, nullptr, nullptr);
  if (GSS_ERROR(major)) fail("no Kerberos credential (run kinit, or set KRB5CCNAME)", major, minor);
}

OM_uint32 GssContext::flags() const {
  OM_uint32 flags = GSS_C_MUTUAL_FLAG;
  if (purpose_ == GssPurpose::encryption) {
    flags |= GSS_C_REPLAY_FLAG | GSS_C_SEQUENCE_FLAG | GSS_C_CONF_FLAG | GSS_C_INTEG_FLAG;
  }
  return flags;
}

void GssContext::import_name() {
  gss_buffer_desc text = borrowed(server_);
  OM_uint32 minor = 0;
  const OM_uint32 major = gss_import_name(&minor, &text, GSS_C_NT_HOSTBASED_SERVICE, &name_);
  if (GSS_ERROR(major)) fail("Kerberos can't take \"" + server_ + "\" for a server", major, minor);
}

GssContext::Step GssContext::step(std::string_view token) {
  if (name_ == GSS_C_NO_NAME) import_name();
  gss_buffer_desc input = borrowed(token);
  GssBuffer output;
  OM_uint32 minor = 0;
  OM_uint32 granted = 0;
  const OM_uint32 wanted = flags() | (delegates_ ? OM_uint32{GSS_C_DELEG_FLAG} : 0);
  const OM_uint32 major = gss_init_sec_context(&minor, credential_, &context_, name_, GSS_C_NO_OID,
                                               wanted, 0, GSS_C_NO_CHANNEL_BINDINGS, &input,
                                               nullptr, output.get(), &granted, nullptr);
  if (GSS_ERROR(major)) fail("GSSAPI with " + server_ + " failed", major, minor);
  const bool complete = major == GSS_S_COMPLETE;
  if (complete && (granted & flags()) != flags()) {
    throw GssError("GSSAPI with " + server_ +
                   " failed: the library does not grant mutual authentication or encryption");
  }
  return {std::string(output.view()), complete};
}

std::size_t GssContext::max_plain_bytes(std::size_t max_wrapped_bytes) const {
  OM_uint32 minor = 0;
  OM_uint32 plain = 0;
  const OM_uint32 major = gss_wrap_size_limit(&minor, context_, 1, GSS_C_QOP_DEFAULT,
                                              static_cast<OM_uint32>(max_wrapped_bytes), &plain);
  if (major != GSS_S_COMPLETE) fail("GSSAPI encryption failed", major, minor);
  return plain;
}

GssBuffer GssContext::wrap(std::string_view plain) {
  gss_buffer_desc input = borrowed(plain);
  GssBuffer output;
  OM_uint32 minor = 0;
  int confidential = 0;
  const OM_uint32 major =
      gss_wrap(&minor, context_, 1, GSS_C_QOP_DEFAULT, &input, &confidential, output.get());
  if (major != GSS_S_COMPLETE) fail("GSSAPI encryption failed", major, minor);
  if (confidential == 0) throw GssError("GSSAPI encryption failed: it would not be confidential");
  return output;
}

// A packet that comes again, late, or after one that is missing is no error to the library, only a
// word beside the result.
GssBuffer GssContext::unwrap(std::string_view wrapped) {
  gss_buffer_desc input = borrowed(wrapped);
  GssBuffer output;
  OM_uint32 minor = 0;
  int confidential = 0;
  const OM_uint32 major =
      gss_unwrap(&minor, context_, &input, output.get(), &confidential, nullptr);
  if (major != GSS_S_COMPLETE) fail("GSSAPI decryption failed", major, minor);
  if (confidential == 0) throw GssError("GSSAPI decryption failed: the packet was not encrypted");
  return output;
}

}  // namespace pgcourier::replication
