{{- define "llmproxy.name" -}}
{{ default .Chart.Name .Values.nameOverride | trunc 52 | trimSuffix "-" }}
{{- end }}

{{- /* With the longest ending (-dispatcher) 52 characters: pods of a StatefulSet have a label with its name and a hash. */ -}}
{{- define "llmproxy.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{ .Values.fullnameOverride | trunc 41 | trimSuffix "-" }}
{{- else if contains (include "llmproxy.name" .) .Release.Name -}}
{{ .Release.Name | trunc 41 | trimSuffix "-" }}
{{- else -}}
{{ printf "%s-%s" .Release.Name (include "llmproxy.name" .) | trunc 41 | trimSuffix "-" }}
{{- end -}}
{{- end }}

{{- /* Labels: (list . "component") */ -}}
{{- define "llmproxy.selector" -}}
{{- $ := index . 0 -}}
app.kubernetes.io/name: {{ include "llmproxy.name" $ }}
app.kubernetes.io/instance: {{ $.Release.Name }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end }}

{{- define "llmproxy.labels" -}}
{{- $ := index . 0 -}}
{{ include "llmproxy.selector" . }}
app.kubernetes.io/version: {{ $.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ $.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" $.Chart.Name ($.Chart.Version | replace "+" "_") }}
{{- end }}

{{- define "llmproxy.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ default .Chart.AppVersion .Values.image.tag }}
{{- end -}}
{{- end }}

{{- define "llmproxy.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{ default (include "llmproxy.fullname" .) .Values.serviceAccount.name }}
{{- else -}}
{{ default "default" .Values.serviceAccount.name }}
{{- end -}}
{{- end }}

{{- /* Where a listening address has its port: ":8080" and "0.0.0.0:8080" are 8080. */ -}}
{{- define "llmproxy.portOf" -}}
{{ regexFind "[0-9]+$" . }}
{{- end }}

{{- define "llmproxy.managementUrl" -}}
{{- $port := ternary .Values.management.port .Values.service.port .Values.management.separate -}}
http://{{ include "llmproxy.fullname" . }}{{ ternary "-manage" "" .Values.management.separate }}:{{ int $port }}
{{- end }}

{{- define "llmproxy.gracePeriod" -}}
{{- $d := .Values.drain -}}
{{ add (int $d.preStop) (int $d.delay) (int $d.seconds) (int $d.margin) }}
{{- end }}

{{- /* The secrets of the proxy as JSON, {VARIABLE: {name, key}}: those of yours, those of this chart's databases, those made of data. */ -}}
{{- define "llmproxy.secrets" -}}
{{- $own := include "llmproxy.fullname" . -}}
{{- $found := dict -}}
{{- range $value, $variable := dict "managementToken" "MANAGEMENT_TOKEN" "encryptionKey" "ENCRYPTION_KEY" "databaseUrl" "DATABASE_URL" "metricsToken" "METRICS_TOKEN" "redisUrl" "REDIS_URL" -}}
{{- $existing := (index $.Values.secrets $value).existingSecret -}}
{{- if $existing.name -}}
{{- $_ := set $found $variable (dict "name" $existing.name "key" $existing.key) -}}
{{- else if and $.Values.secrets.create (index $.Values.secrets.data $value) -}}
{{- $_ := set $found $variable (dict "name" $own "key" $variable) -}}
{{- end -}}
{{- end -}}
{{- range $kind := list "postgresql" "mysql" -}}
{{- $server := index $.Values $kind -}}
{{- if $server.enabled -}}
{{- $existing := $server.auth.existingSecret -}}
{{- $_ := set $found "DATABASE_URL" (dict "name" (default (printf "%s-%s" $own $kind) $existing.name) "key" (ternary $existing.urlKey "url" (ne $existing.name ""))) -}}
{{- end -}}
{{- end -}}
{{- $redis := .Values.redis.external.password.existingSecret -}}
{{- if and .Values.redis.external.addr $redis.name -}}
{{- $_ := set $found "REDIS_PASSWORD" (dict "name" $redis.name "key" $redis.key) -}}
{{- end -}}
{{- toJson $found -}}
{{- end }}

{{- /* Variables that name the files of secrets; the argument is {VARIABLE: {name, key}}. */ -}}
{{- define "llmproxy.secretFiles" -}}
{{- range $variable, $_ := . }}
- name: {{ $variable }}_FILE
  value: /run/secrets/llmproxy/{{ $variable | lower }}
{{- end }}
{{- end }}

{{- define "llmproxy.secretVolume" -}}
- name: secrets
  projected:
    defaultMode: 0440
    sources:
      {{- range $variable, $from := . }}
      - secret:
          name: {{ $from.name }}
          items:
            - key: {{ $from.key }}
              path: {{ $variable | lower }}
      {{- end }}
{{- end }}

{{- define "llmproxy.redisEnv" -}}
{{- with .Values.redis.external }}
{{- if .addr }}
- name: REDIS_ADDR
  value: {{ .addr | quote }}
- name: REDIS_DB
  value: {{ .db | toString | quote }}
{{- end }}
{{- end }}
{{- end }}

{{- /* What all pods of the image have in common. */ -}}
{{- define "llmproxy.pod" -}}
{{- with .Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
serviceAccountName: {{ include "llmproxy.serviceAccountName" . }}
automountServiceAccountToken: false
enableServiceLinks: false
securityContext:
  {{- toYaml .Values.podSecurityContext | nindent 2 }}
{{- with .Values.priorityClassName }}
priorityClassName: {{ . }}
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
{{- end }}
