{{/* pgcourier.yaml: `config` and what follows from the rest of the values. */}}
{{- define "pgcourier.settings" -}}
{{- include "pgcourier.refuseInlineSecrets" . -}}
{{- include "pgcourier.refuseKafkaProperties" . -}}
{{- include "pgcourier.refuseMounts" . -}}
{{- include "pgcourier.refuseLostFiles" . -}}
{{- include "pgcourier.refuseUnsharedFiles" . -}}
{{- $config := deepCopy .Values.config -}}
{{- if not $config.name -}}
{{- $_ := set $config "name" (include "pgcourier.fullname" .) -}}
{{- end -}}
{{- if .Values.sourcePassword.existingSecret -}}
{{- $_ := set $config.source "password_file" "/run/secrets/source/password" -}}
{{- end -}}
{{- $_ := set $config "state_dir" "/var/lib/pgcourier" -}}
{{- toYaml $config -}}
{{- end -}}

{{/* ConfigMap and Deployment are no place for a password. The messages don't show it. */}}
{{- define "pgcourier.refuseInlineSecrets" -}}
{{- $url := .Values.config.source.url -}}
{{- if or (regexMatch "^postgres(ql)?://[^/@:]*:([^/@$]|\\$[^{])[^/@]*@" $url) (regexMatch "(?i)password\\s*=\\s*('?[^$'\\s&]|'?\\$[^{])" $url) -}}
{{- fail "config.source.url holds a password: put it into a Secret and name that in sourcePassword.existingSecret" -}}
{{- end -}}
{{- $token := default "" .Values.config.source.oauth_token -}}
{{- if and $token (not (regexMatch "^\\$\\{(file:[^}]+|[A-Za-z_][A-Za-z0-9_]*)\\}$" $token)) -}}
{{- fail "config.source.oauth_token is a secret: put it into a Secret, name that in `secrets`, and refer to it with ${file:/run/secrets/NAME/KEY}; or refer with ${VAR} to a variable of extraEnv that has it by valueFrom.secretKeyRef" -}}
{{- end -}}
{{- range $sink := .Values.config.sinks -}}
{{- if hasKey $sink "kafka" -}}
{{- range $name, $value := (default dict $sink.kafka.properties) -}}
{{- /* What pgcourier masks. ${VAR:-default} is no reference here: the default stands in clear text. */ -}}
{{- if and (regexMatch "(?i)(password|secret|jaas|token|key\\.pem|credential|oauthbearer\\.config)" $name) (not (regexMatch "^\\$\\{(file:[^}]+|[A-Za-z_][A-Za-z0-9_]*)\\}$" (toString $value))) -}}
{{- fail (printf "the Kafka property %s is a secret: put its whole value into a Secret, name that in `secrets`, and refer to it with ${file:/run/secrets/NAME/KEY}; or refer with ${VAR} to a variable of extraEnv that has it by valueFrom.secretKeyRef" $name) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- range .Values.extraEnv -}}
{{- if and (hasKey . "value") (or (regexMatch "(?i)password" .name) (regexMatch "^PGCOURIER_" .name)) (not (regexMatch "^PGCOURIER_LOG__" .name)) -}}
{{- fail (printf "extraEnv: a value of %s would stand in the Deployment: put a secret into a Secret and refer to it with valueFrom.secretKeyRef, and any other setting into `config`" .name) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* What pgcourier would refuse in the pod. */}}
{{- define "pgcourier.refuseKafkaProperties" -}}
{{- $refusals := .Files.Get "refused_kafka_properties.yaml" | fromYamlArray -}}
{{- range $sink := .Values.config.sinks -}}
{{- if hasKey $sink "kafka" -}}
{{- range $name, $value := (default dict $sink.kafka.properties) -}}
{{- range $refusal := $refusals -}}
{{- range $refusal.names -}}
{{- $pattern := printf "^%s$" (. | replace "." "\\." | replace "*" ".*") -}}
{{- if and (regexMatch $pattern $name) (not (and $refusal.unless (regexMatch $refusal.unless (toString $value)))) -}}
{{- fail (printf "the Kafka property %s can't be set: %s" $name $refusal.reason) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* What Kubernetes would refuse, and mounts that would hide each other. */}}
{{- define "pgcourier.refuseMounts" -}}
{{- $volumes := list -}}
{{- if .Values.persistence.enabled -}}
{{- $volumes = append $volumes "data" -}}
{{- end -}}
{{- range include "pgcourier.volumes" . | fromYamlArray -}}
{{- if has .name $volumes -}}
{{- fail (printf "extraVolumes: there is a volume %s already: choose another name" .name) -}}
{{- end -}}
{{- $volumes = append $volumes .name -}}
{{- end -}}
{{- $mounted := dict -}}
{{- range include "pgcourier.volumeMounts" . | fromYamlArray -}}
{{- if not (has .name $volumes) -}}
{{- fail (printf "extraVolumeMounts: there is no volume %s: add it to extraVolumes" .name) -}}
{{- end -}}
{{- $path := clean .mountPath -}}
{{- if hasKey $mounted $path -}}
{{- fail (printf "the volumes %s and %s are both mounted at %s: choose another mountPath for one of them" (get $mounted $path) .name $path) -}}
{{- end -}}
{{- $_ := set $mounted $path .name -}}
{{- end -}}
{{- end -}}

{{/* Files that go with the pod would be a loss without a word: the slot is confirmed past them. */}}
{{- define "pgcourier.refuseLostFiles" -}}
{{- $kept := list -}}
{{- if .Values.persistence.enabled -}}
{{- $kept = append $kept "data" -}}
{{- end -}}
{{- range .Values.extraVolumes -}}
{{- /* Without a kind it is an emptyDir. */ -}}
{{- if not (or (hasKey . "emptyDir") (hasKey . "ephemeral") (eq (len .) 1)) -}}
{{- $kept = append $kept .name -}}
{{- end -}}
{{- end -}}
{{- $mounts := include "pgcourier.volumeMounts" . | fromYamlArray -}}
{{- range $sink := .Values.config.sinks -}}
{{- if hasKey $sink "files" -}}
{{- $directory := printf "%s/" (clean $sink.files.directory) -}}
{{- $innermost := dict "name" "" "mountPath" "" -}}
{{- range $mount := $mounts -}}
{{- $path := clean $mount.mountPath -}}
{{- if and (hasPrefix (printf "%s/" (trimSuffix "/" $path)) $directory) (gt (len $path) (len $innermost.mountPath)) -}}
{{- $innermost = dict "name" $mount.name "mountPath" $path -}}
{{- end -}}
{{- end -}}
{{- if not (has $innermost.name $kept) -}}
{{- $why := ternary (printf " (there the volume %s is mounted, which does not last)" $innermost.name) "" (ne $innermost.name "") -}}
{{- fail (printf "the files sink's directory %s would be lost with the pod%s: set persistence.enabled=true and a directory below persistence.mountPath, or mount a lasting volume there with extraVolumes and extraVolumeMounts" $sink.files.directory $why) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* A standby goes on with the files of the one before, from whatever node. */}}
{{- define "pgcourier.refuseUnsharedFiles" -}}
{{- $shared := or (not .Values.persistence.enabled) (has "ReadWriteMany" .Values.persistence.accessModes) -}}
{{- if and (gt (int .Values.replicas) 1) (not $shared) -}}
{{- range .Values.config.sinks -}}
{{- if hasKey . "files" -}}
{{- fail "more than one replica with a files sink needs a folder that all of them reach: set persistence.accessModes=[ReadWriteMany] (a claim of your own must have that mode too), or replicas=1" -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
