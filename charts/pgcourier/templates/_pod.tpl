{{/* What the pipeline's pod and the test pod have in common. */}}
{{- define "pgcourier.container" -}}
image: {{ include "pgcourier.image" . }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
securityContext:
  {{- toYaml .Values.securityContext | nindent 2 }}
{{- with .Values.extraEnv }}
env:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.extraEnvFrom }}
envFrom:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- define "pgcourier.volumeMounts" -}}
- name: config
  mountPath: /etc/pgcourier
  readOnly: true
- name: state
  mountPath: /var/lib/pgcourier
{{- if .Values.persistence.enabled }}
- name: data
  mountPath: {{ .Values.persistence.mountPath }}
{{- end }}
{{- if .Values.sourcePassword.existingSecret }}
- name: source-password
  mountPath: /run/secrets/source
  readOnly: true
{{- end }}
{{- range .Values.secrets }}
- name: secret-{{ . }}
  mountPath: /run/secrets/{{ . }}
  readOnly: true
{{- end }}
{{- with .Values.extraVolumeMounts }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* All volumes but the one called data. */}}
{{- define "pgcourier.volumes" -}}
- name: config
  configMap:
    name: {{ include "pgcourier.fullname" . }}
- name: state
  emptyDir:
    sizeLimit: {{ .Values.state.sizeLimit }}
    {{- with .Values.state.medium }}
    medium: {{ . }}
    {{- end }}
{{- if .Values.sourcePassword.existingSecret }}
- name: source-password
  secret:
    secretName: {{ .Values.sourcePassword.existingSecret }}
    defaultMode: 0440
    items:
      - key: {{ .Values.sourcePassword.key }}
        path: password
{{- end }}
{{- range .Values.secrets }}
- name: secret-{{ . }}
  secret:
    secretName: {{ . }}
    defaultMode: 0440
{{- end }}
{{- with .Values.extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "pgcourier.podPlacement" -}}
{{- with .Values.imagePullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
{{- with .Values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}
